// One line of the export table is wrong; which one, the build says.
#include "tests/bad_plugins/entry.hpp"

#if defined(BAD_DUPLICATE)
BAD_PLUGIN({cambium::kStemInterface, "token", make_nothing, destroy_nothing},
           {cambium::kHeadInterface, "token", make_nothing, destroy_nothing},
           {cambium::kStemInterface, "token", make_nothing, destroy_nothing})
#elif defined(BAD_NULL_NAME)
BAD_PLUGIN({cambium::kHeadInterface, nullptr, make_nothing, destroy_nothing})
#elif defined(BAD_NULL_CREATE)
BAD_PLUGIN({cambium::kHeadInterface, "mlp", nullptr, destroy_nothing})
#elif defined(BAD_NO_EXPORTS)  // its count is 0
BAD_PLUGIN({cambium::kHeadInterface, "mlp", make_nothing, destroy_nothing})
#elif defined(BAD_ORPHAN_STATE)
BAD_PLUGIN({cambium::kHeadInterface, "walk", make_nothing, destroy_nothing},
           {cambium::kStateInterface, "head:wlak", make_nothing, destroy_nothing})
#endif
