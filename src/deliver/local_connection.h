// A place at the helper: how mail that ends on this machine is delivered. There is nothing to open; each recipient is a
// request of its own (helper/protocol.h), the content streamed, several recipients of a message at the same time, so
// that a command that hangs delays nobody else.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/connection.h"
#include "deliver/local_outcome.h"
#include "deliver/settle.h"

namespace sidegate::deliver {

struct LocalSettings;

class LocalConnection final : public Connection {
 public:
  LocalConnection();
  ~LocalConnection() override;
  net::Awaitable<void> carry(Attempt& attempt) override;
  bool is_final() const override { return true; }
  void cancel() override;

 private:
  struct Round;  // one attempt's deliveries
  struct Working;
  static net::Awaitable<void> work(std::shared_ptr<Round> round);
  static net::Awaitable<LocalEnd> deliver(std::shared_ptr<Round> round, Target& target);
  static net::Awaitable<std::optional<LocalEnd>> find_mailbox(Attempt& attempt, mail::Recipient& recipient);
  static net::Awaitable<LocalEnd> hand_over(std::shared_ptr<Round> round, helper::Request request);

  std::shared_ptr<Round> round_;
};

// The users whose mailbox a route can mean that ends here (action = "local"): the address's local part, in lower case
// first, with its tag and without. Aliases are not asked. Pure.
std::vector<std::string> mailboxes_of(std::string_view address, std::string_view delimiters);

// What the helper is asked for this recipient; nullopt: it is discarded. Pure.
std::optional<helper::Request> local_request(const LocalSettings& settings, const queue::Message& message,
                                             const mail::Recipient& recipient, WallTime now);

}  // namespace sidegate::deliver
