// Brings what programs dropped while the server was down into the queue, through the same intake as everything else: at
// start, and once a second. One coroutine on one loop; the disk is read on the worker pool.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "intake/context.h"
#include "intake/drop_folder.h"
#include "intake/local_user.h"
#include "intake/policy.h"
#include "net/loop.h"
#include "net/worker_pool.h"
#include "smtp/receiver.h"

namespace sidegate::intake {

class Pickup {
 public:
  // All of them outlive it; wait for stop()'s callback before it goes.
  Pickup(net::Loop& loop, IntakeContext& context, net::WorkerPool& workers, std::string directory,
         std::shared_ptr<const ListenerPolicy> policy);
  // What is answered 4yz for its recipients' sake is given up after so long, as it would be in the queue. Before
  // start().
  void give_up_after(Duration lifetime) { lifetime_ = lifetime; }
  void start();
  void set_policy(std::shared_ptr<const ListenerPolicy> policy) { policy_ = std::move(policy); }  // on the loop
  // On the loop: the message in hand is finished, `ended` is called.
  void stop(std::function<void()> ended);
  // One look at the directory; for start() and for tests.
  net::Awaitable<void> once();

 private:
  struct Refused {
    std::size_t n = 0;  // of the recipient
    mail::Reply reply;
  };
  // What became of the recipients that were left.
  struct Given {
    mail::Reply reply;             // of the last transaction
    bool of_file = false;          // it is 4yz for this file's sake alone: its recipients, its content
    std::vector<Refused> refused;  // for good
  };
  struct Said {
    mail::Reply reply;
    bool of_file = false;
  };
  // A file that waits by itself, so that it holds up no other.
  struct Later {
    SteadyTime until{};
    Duration pause{};
  };
  class Source;  // content: a file, or a text

  net::Awaitable<void> run();
  net::Awaitable<void> pick(std::string name);
  net::Awaitable<void> settle(DropFile file, Given given);
  net::Awaitable<Given> give(DropFile& file, LocalUser user);
  // last_time: what is answered 4yz is refused.
  net::Awaitable<Said> transaction(const mail::Envelope& envelope, std::vector<std::size_t>& left, Source& source,
                                   LocalUser user, bool last_time, std::vector<Refused>& refused);
  net::Awaitable<Said> transaction_of(class Intake& intake, const mail::Envelope& envelope,
                                      std::vector<std::size_t>& left, Source& source, const LocalUser& user,
                                      bool last_time, std::vector<Refused>& refused);
  net::Awaitable<Said> content(class Intake& intake, const smtp::SessionInfo& session, Source& source);
  net::Awaitable<bool> report(const DropFile& file, const std::vector<Refused>& refused);
  net::Awaitable<void> set_aside(DropFile file, std::string why);
  void put_off(const DropFile& file, const Given& given);
  bool waits(const std::string& name) const;
  void forget_others(const std::vector<std::string>& names);
  void told_aside(const std::string& name, const std::string& why, const Status& moved);

  net::Loop& loop_;
  IntakeContext& context_;
  net::WorkerPool& workers_;
  std::string directory_;
  DropFolder folder_;
  std::shared_ptr<const ListenerPolicy> policy_;
  std::map<unsigned, SteadyTime> wait_;                // users whose mail is answered 4yz, until then
  std::map<std::string, std::set<std::size_t>> done_;  // recipients that are in the queue, of a file that waits
  std::map<std::string, Later> later_;                 // files that wait by themselves
  Duration lifetime_ = std::chrono::hours(5 * 24);
  SteadyTime all_wait_{};        // the queue takes nothing until then
  std::string trouble_;          // with the directory, said once
  std::set<std::string> stuck_;  // could not be set aside: said once
  bool stopping_ = false, running_ = false;
  std::function<void()> ended_;
  class Intake* current_ = nullptr;  // of the transaction under way
};

}  // namespace sidegate::intake
