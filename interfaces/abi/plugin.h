/* abi/plugin.h: the front door of a plugin. One exported symbol, data not code, says who the plugin
 * is before a line of it runs; only after it is accepted does the host ask for an object. C11, so
 * that its layout has no surprises. */
#ifndef CAMBIUM_ABI_PLUGIN_H
#define CAMBIUM_ABI_PLUGIN_H

#include <stdint.h>

#define CAMBIUM_PLUGIN_MAGIC 0x314d4243u /* "CBM1", little endian */

#ifdef __cplusplus
extern "C" {
#endif

/* What the host offers to a plugin. Valid until the library is closed. */
typedef struct cambium_host {
  uint32_t struct_size;
  /* Copies `text` (UTF-8) into the host's log. level: 0 debug, 1 info, 2 warning, 3 error. [any,
   * not rt] */
  void (*log)(const struct cambium_host* host, uint32_t level, const char* text);
} cambium_host;

/* One thing that a plugin makes: an embodiment, a stem or a head, or an ability of one of these.
 * Its size is the stride of the export table, so it never grows: a new ability is a new interface
 * id. */
typedef struct cambium_export {
  const char* interface_id; /* "cambium.stem/1" */
  const char* name; /* "token": unique among the exports of one interface. Of an ability, what has
                       it: "stem:token", "head:mlp" */
  /* Stores a pointer to the interface (never to the derived class) in *out and returns 0, or a
   * cambium::Code. Never throws. Of an ability, *out holds on entry the pointer that the create of
   * what has it gave, and on return the ability of the same object. [setup] */
  uint32_t (*create)(const cambium_host* host, void** out);
  /* Takes back what create gave; nothing for an ability, which goes with its object. [setup] */
  void (*destroy)(void* object);
} cambium_export;

/* The numbers up to abi_minor are read from the file before any code of the plugin runs; they keep
 * their place in every version. New fields go to the end, with a new minor. */
typedef struct cambium_plugin_entry {
  uint32_t magic;       /* CAMBIUM_PLUGIN_MAGIC */
  uint32_t struct_size; /* sizeof at the plugin's build: a shorter one means an older minor */
  uint16_t abi_major, abi_minor;
  uint32_t export_count;
  const char* build; /* flags that must agree, compared as text, shown as text; also in section
                        cambium_build */
  const char *name, *version; /* copied by the host at once */
  const cambium_export* exports;
} cambium_plugin_entry;

/* The one exported symbol. */
extern
#ifdef __GNUC__
    __attribute__((visibility("default")))
#endif
    const cambium_plugin_entry cambium_plugin;

#ifdef __cplusplus
}
#endif
#endif
