// Who gets mail for an address: asked for each RCPT, and for each report of ours. What is none of our business is
// answered at once; the rest is resolved on the worker pool, from files as they are at that moment.
#pragma once

#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "alias/expander.h"
#include "base/log.h"
#include "intake/alias_files.h"
#include "net/worker_pool.h"

namespace sidegate::intake {

class Recipients {  // thread-safe; outlives every session and attempt
 public:
  Recipients(net::WorkerPool& workers, AliasFiles& files, alias::Sources& sources, Log& log)
      : workers_(workers), files_(files), sources_(sources), log_(log) {}

  // False: nothing of ours knows this address, resolve() would say kNotOurs.
  bool concerns(std::string_view address) const;
  std::string hostname() const { return files_.current()->settings.hostname; }
  alias::Settings settings() const { return files_.current()->settings; }
  // The address has a domain. Never an error: what cannot be told now is kDeferred.
  net::Awaitable<alias::Expansion> resolve(mail::Recipient given, bool null_sender);
  // A report's recipients: empty where the address is none of ours. A report is never refused: where aliases are broken
  // or lead to nobody, it goes to the mailbox of that name, and what cannot be delivered there is kept.
  net::Awaitable<std::vector<mail::Recipient>> for_report(std::string address);
  // On this thread, blocking: for tests and for who is on a worker already.
  alias::Expansion resolve_now(const mail::Recipient& given, bool null_sender);

 private:
  void tell(const alias::Expansion& expansion, const std::string& address);

  net::WorkerPool& workers_;
  AliasFiles& files_;
  alias::Sources& sources_;
  Log& log_;
  std::mutex mutex_;
  std::unordered_set<std::string> told_;  // until a file changes
  unsigned told_version_ = 0;
};

}  // namespace sidegate::intake
