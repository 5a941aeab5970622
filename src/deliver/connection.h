// What carries messages of one way, one at a time: a session with a relay or an LMTP server (relay_connection.h), or a
// place at the helper of this machine (local_connection.h). The courier keeps it, an attempt is carried by it; slots,
// outcomes, reports and the log do not know which one it is.
#pragma once

#include <string>

#include "base/clock.h"
#include "net/stream.h"

namespace sidegate::deliver {

class Attempt;

class Connection {
 public:
  virtual ~Connection() = default;

  // Brings the attempt's targets to where they are to go and sets a verdict for each.
  virtual net::Awaitable<void> carry(Attempt& attempt) = 0;
  // It takes our DSN parameters over: success is its to report.
  virtual bool takes_reports() const { return false; }
  // The largest message that the other end takes (SIZE). 0: it did not say, or any.
  virtual std::uint64_t most_octets() const { return 0; }
  // The recipient's mailbox is at its other end, or here.
  virtual bool is_final() const { return false; }
  virtual bool looks_dead() { return false; }
  virtual net::Awaitable<void> quit() { co_return; }
  virtual void cancel() {}  // a wait under way ends
  virtual void close() {}

  std::string host, address;  // "smtp.isp.example", "192.0.2.1:587"
  std::string how;  // the peer is known: "verified:dane-ee TLSv1.3 ...", "encrypted ...", "none"; empty: no TLS here
  Duration took{};  // from the first look-up to here
  bool others = false;  // the destination has other hosts, which are not passed over (passed_over.h)
};

}  // namespace sidegate::deliver
