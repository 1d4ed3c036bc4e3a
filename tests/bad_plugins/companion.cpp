// A private shared library, as a plugin should not have one.
extern "C" __attribute__((visibility("default"))) int cambium_test_companion() {
  return 42;
}
