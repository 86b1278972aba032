// Keeps the garbage collector from looking at the lists made meanwhile, again and again as they become more: it would
// look at every object in them, several times.
#pragma once

#include <pybind11/pybind11.h>

namespace fissile::bindings {

class GarbagePause {
   public:
    GarbagePause() : was_enabled_(PyGC_Disable() != 0) {}
    ~GarbagePause() {
        if (was_enabled_) PyGC_Enable();
    }
    GarbagePause(const GarbagePause&) = delete;
    GarbagePause& operator=(const GarbagePause&) = delete;

   private:
    bool was_enabled_;
};

}  // namespace fissile::bindings
