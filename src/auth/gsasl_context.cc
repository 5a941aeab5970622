#include "auth/gsasl_context.h"

namespace sidegate::auth {

Gsasl* shared_context() {
  static Gsasl* const context = [] {
    Gsasl* made = nullptr;
    return gsasl_init(&made) == GSASL_OK ? made : nullptr;
  }();
  return context;
}

}  // namespace sidegate::auth
