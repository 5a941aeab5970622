// One attempt: one lease over one connection, as named steps: load, lack, transmit, settle, report, log.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/queue_id.h"
#include "deliver/connection.h"
#include "deliver/eight_bit.h"
#include "deliver/guise.h"
#include "deliver/message_source.h"
#include "deliver/published_policy.h"
#include "deliver/relay_connection.h"
#include "deliver/reports.h"
#include "deliver/settle.h"
#include "deliver/way.h"
#include "dns/resolver.h"
#include "helper/client.h"
#include "net/loop.h"
#include "queue/ledger.h"
#include "queue/poison.h"
#include "queue/scheduler.h"
#include "queue/settings.h"

namespace sidegate::deliver {

// What a courier works with. All of it outlives the courier.
struct Parts {
  net::Loop& loop;
  queue::Scheduler& scheduler;
  queue::Store& store;
  dns::Resolver& resolver;
  net::WorkerPool& workers;
  QueueIdSource& ids;
  queue::ScheduleSettings schedule;
  // A fresh message from memory, or nothing (queue/content_cache.h); forget() when it has ended, and
  // when rows say more of it than its attempts.
  std::function<std::optional<Content>(QueueId)> cached;
  std::function<void(QueueId)> forget;
  const helper::Client* helper = nullptr;  // null: nothing is delivered on this machine
  queue::Ledger* ledger = nullptr;         // what accounts have used of their limits; null: it is not kept
  queue::PoisonFile* poison = nullptr;     // lists what is in hand; null: nothing is listed
  // A relay's SIZE was learnt, or is another one.
  std::function<void(const Way&)> learnt_size = {};
  // Who gets mail for this address once our aliases are asked (a report to root, say); at least one. Empty: nothing is
  // ours, it stands as it is.
  std::function<net::Awaitable<std::vector<mail::Recipient>>(std::string address)> resolve = {};
  TlsHooks tls_hooks = {};  // of direct delivery; what they point to outlives the couriers
};

// The way's trouble that an attempt ran into.
struct WayTrouble {
  Verdict verdict;
  smtp::Phase phase = smtp::Phase::kMail;
  std::string reason;
};

struct Attempted {
  enum class Fate : std::uint8_t {
    kSettled,   // see settled
    kGone,      // there is no such message any more: only finish the lease
    kEnded,     // its recipients here had ended before, and the schedule had not heard of it: only due rows are left
    kDiedIdle,  // the connection had died while it was idle: nothing was sent, take a new one
    kUnread,    // the store could not read it just now: by its schedule, nothing written
  } fate = Fate::kSettled;
  Settled settled;
  std::optional<WayTrouble> trouble;
  bool usable = true;     // the connection may carry another message
  bool answered = false;  // the relay judged the message: the way works
  bool put_off = false;   // it put a recipient off, or all of it
};

class Attempt {
 public:
  Attempt(const Parts& parts, const Ways& ways, Way& way, queue::Lease lease, double random)
      : parts_(parts), ways_(ways), way_(way), lease_(std::move(lease)), random_(random) {}

  // reused: the connection carried a message before.
  net::Awaitable<Attempted> run(Connection& connection, bool reused);
  // Without a connection: every recipient gets `verdict` (a message that grows old while its way is down).
  net::Awaitable<Attempted> give(Verdict verdict, std::string words);

  const queue::Lease& lease() const { return lease_; }

 private:
  friend class RelayConnection;  // the transports: each fills the targets' verdicts its own way
  friend class LocalConnection;
  friend class DecidedConnection;

  net::Awaitable<Status> load();
  net::Awaitable<Status> load_rows();
  // Recipients that the account's limits leave no room for just now step aside, with those verdicts.
  void keep_to_limits();
  void take_targets(const std::vector<queue::RecipientRow>& rows);
  net::Awaitable<void> transmit(RelayConnection& connection);
  // Those of `todo` that the relay does not take from <>: nothing was said about them yet.
  net::Awaitable<std::vector<std::size_t>> transmit_as(RelayConnection& connection, const Guise& guise,
                                                       std::vector<std::size_t> todo);
  net::Awaitable<void> send_without_null(RelayConnection& connection, std::vector<std::size_t> todo);
  std::vector<std::size_t> take_batch(const Guise& guise, std::vector<std::size_t>& todo) const;
  smtp::Transmission transmission(const RelayConnection& connection, const Guise& guise,
                                  std::span<const std::size_t> batch, smtp::ContentSource& source) const;
  Verdict judged(const Event& event) const;
  bool may_go_as_account(const Guise& guise, std::size_t target) const;
  void note_sender_refused(const Guise& guise, std::size_t target, const mail::Reply& reply) const;
  net::Awaitable<std::optional<std::string>> sign(const Guise& guise, smtp::ContentSource& source, bool converted);
  void note_null_refused(const smtp::Transmitted& sent);
  bool takes_null_elsewhere() const;
  bool is_null_refused(const RelayConnection& connection, const smtp::Transmitted& sent,
                       std::span<const std::size_t> batch) const;
  net::Awaitable<void> put_on(Guise guise);
  void log_guise() const;
  void absorb(const RelayConnection& connection, const Guise& guise, const smtp::Transmitted& sent,
              std::span<const std::size_t> batch, std::vector<std::size_t>& again);
  void judge_all(const Verdict& verdict, smtp::Phase phase, const std::string& words, bool by_peer);
  void write_delivered(std::span<const std::size_t> batch);
  void set(Target& target, const Verdict& verdict, smtp::Phase phase, std::string words, bool by_peer);
  void note_trouble(const Target& target);
  net::Awaitable<void> settle_all();
  net::Awaitable<void> add_report(const Circumstances& c, std::size_t plan);
  net::Awaitable<void> address_report(ReportInput& input);
  void log_deliveries(const Circumstances& c) const;
  std::string delays(const Circumstances& c) const;
  std::string_view sent_as(const Target& target) const;

  const Parts& parts_;
  const Ways& ways_;
  Way& way_;
  queue::Lease lease_;
  double random_;
  std::optional<Verdict> no_room_;           // of those who step aside: the last of the targets
  std::size_t with_room_ = ~std::size_t{0};  // the others

  Content content_;  // as it was accepted
  Guise guise_;      // as it goes out by this way
  std::vector<Target> targets_;
  std::vector<std::size_t> as_account_;  // targets whose sender was refused: once more, as the account
  bool went_as_account_ = false;
  bool others_ended_ = true;
  bool reused_ = false, dsn_ = false, final_ = false;
  std::string host_, address_, tls_;
  Duration setup_{};
  WallTime taken_{};    // when the lease was taken in hand
  SteadyTime began_{};  // transmission
  Attempted result_;
};

}  // namespace sidegate::deliver
