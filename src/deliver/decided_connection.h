// A route has decided what becomes of this mail: it is thrown away, or refused with a text. Nothing is opened.
#pragma once

#include "deliver/connection.h"

namespace sidegate::deliver {

class DecidedConnection final : public Connection {
 public:
  DecidedConnection();
  net::Awaitable<void> carry(Attempt& attempt) override;
};

}  // namespace sidegate::deliver
