// The listeners' TLS: a context for each set of certificates, the one we sign ourselves where there is none, and how
// many days each is still good for.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "intake/settings.h"
#include "tls/context.h"
#include "tls/ticket_keys.h"

namespace sidegate::daemon {

class Certificates {  // thread-safe
 public:
  // folder: ours alone, for the certificate that we sign.
  Certificates(std::string folder, Clock& clock, Log& log)
      : folder_(std::move(folder)), clock_(clock), log_(log), tickets_(std::make_shared<tls::TicketKeys>(clock)) {}

  using Contexts = std::vector<std::shared_ptr<const tls::ServerContext>>;
  // One for each listener, in order; null: it speaks no TLS. Unchanged certificates keep their context. An error leaves
  // everything as it was.
  Result<Contexts> contexts_for(const std::vector<intake::ListenerSettings>& listeners);

  // A line in the log at 21 days, at 7 and when one has expired, once for each certificate. Cheap: call it now and
  // then.
  void look();

  struct Row {
    tls::CertificateFacts facts;
    int days_left = 0;
  };
  std::vector<Row> rows() const;              // of what is shown now, each certificate once
  std::vector<std::string> warnings() const;  // sentences for `status`

 private:
  struct Made {
    tls::ServerSettings settings;
    std::shared_ptr<const tls::ServerContext> context;
  };
  Result<tls::Identity> own_identity(const std::string& hostname);
  void tell(const tls::CertificateFacts& facts);

  std::string folder_;
  Clock& clock_;
  Log& log_;
  std::shared_ptr<tls::TicketKeys> tickets_;
  mutable std::mutex mutex_;
  std::vector<Made> made_;
  std::map<std::string, int> told_;  // by fingerprint: the limit that was told of
};

// Which of our limits a certificate with so many days is below: 21, 7, 0, or 1000 for none. Pure.
int expiry_limit(int days_left);

}  // namespace sidegate::daemon
