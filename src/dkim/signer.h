// Which keys sign a message, and the fields they put before it. A message is signed for the domain of its From
// (alignment: RFC 7489 section 3.1.1), as it leaves, by each key of that domain.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "dkim/canonical.h"
#include "dkim/key.h"

namespace sidegate::dkim {

// RFC 6376 section 5.4.1, and what else says to a reader who writes what to whom.
const std::vector<std::string>& usual_headers();

// One [[dkim]] block.
struct Signer {
  std::string domain, selector;  // lower case
  bool subdomains = true;        // signs for senders below the domain too
  Form header_form = Form::kRelaxed, body_form = Form::kRelaxed;
  std::vector<std::string> headers = usual_headers();
  std::shared_ptr<const Key> key;
};

struct BodyHashes {
  Hash simple{}, relaxed{};  // all zero: not made

  bool has(Form form) const;
  const Hash& of(Form form) const { return form == Form::kSimple ? simple : relaxed; }
};

class Signers {  // immutable
 public:
  explicit Signers(std::vector<Signer> signers) : signers_(std::move(signers)) {}

  bool empty() const { return signers_.empty(); }
  const std::vector<Signer>& all() const { return signers_; }
  bool uses(Form body_form) const;
  // The keys for a message whose From this is: those of its domain, else those of the nearest one above.
  std::vector<const Signer*> for_domain(std::string_view domain) const;
  // The keys that are to sign a message: none where its From has no domain of ours, or where that domain has signed it
  // already and `stands` (nothing has broken that signature).
  std::vector<const Signer*> for_header(std::string_view header, bool stands) const;

 private:
  std::vector<Signer> signers_;
};

// The field, folded, CRLF at its end, to be put before all others.
Result<std::string> signature_field(const Signer& signer, std::string_view header, const BodyHashes& body,
                                    WallTime now);

}  // namespace sidegate::dkim
