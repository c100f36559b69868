#include "window/sample.h"

namespace limpet {

Value Sample::value() const {
  switch (kind) {
    case ValueKind::kFloat:
      return number.f;
    case ValueKind::kInt:
      return number.i;
    case ValueKind::kUint:
      return number.u;
    case ValueKind::kBool:
      return boolean;
    case ValueKind::kString:
      return std::string(text);
  }
  return 0.0;
}

}  // namespace limpet
