#include "text/unicode_class.hpp"

namespace fissile::unicode_tables {

#include "text/unicode_tables.inc"

}  // namespace fissile::unicode_tables
