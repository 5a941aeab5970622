#include "deliver/signature.h"

#include <algorithm>

#include "dkim/signer.h"
#include "mail/header.h"

namespace sidegate::deliver {
namespace {

constexpr std::string_view kEmptyLine = "\r\n";

struct Measured {
  std::string header;
  dkim::BodyHashes hashes;
};

// The header block and the body's hashes of what a source gives.
net::Awaitable<Result<Measured>> measure(smtp::ContentSource& source, bool simple, bool relaxed) {
  Measured measured;
  mail::HeaderSplitter splitter;
  dkim::BodyHasher hasher(simple, relaxed);
  std::string start;  // of the body, until it is known whether the empty line stands there
  bool begun = false;
  auto body = [&](std::string_view bytes) {
    if (begun) return hasher.push(bytes);
    start += bytes;
    if (start.size() < kEmptyLine.size()) return;
    begun = true;
    hasher.push(std::string_view(start).substr(start.starts_with(kEmptyLine) ? kEmptyLine.size() : 0));
  };
  auto end_header = [&] {
    const std::size_t cut = measured.header.size() - splitter.take_back();
    const std::string back = measured.header.substr(cut);
    measured.header.resize(cut);
    body(back);
  };
  source.rewind();
  for (;;) {
    auto piece = co_await source.next();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) break;
    std::size_t taken = 0;
    if (!splitter.done()) {
      taken = splitter.push(*piece);
      measured.header += piece->substr(0, taken);
      if (splitter.done()) end_header();
    }
    body(piece->substr(taken));
  }
  if (!splitter.done()) {
    splitter.finish();
    end_header();
  }
  if (!begun) hasher.push(start);
  hasher.finish();
  source.rewind();
  measured.hashes = {hasher.simple(), hasher.relaxed()};
  co_return measured;
}

// True: a line that is no field follows the header, where an empty line or the message's end should (RFC 5322 section
// 2.1). To us the header ends there; a lenient reader takes the fields below it for fields as well, or the line for a
// part of the one above, and then what is signed is not what it shows.
net::Awaitable<Result<bool>> breaks_off(smtp::ContentSource& source) {
  mail::HeaderSplitter splitter;
  std::string after;
  source.rewind();
  while (after.size() < kEmptyLine.size()) {
    auto piece = co_await source.next();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) break;
    const std::size_t taken = splitter.done() ? 0 : splitter.push(*piece);
    after += piece->substr(taken).substr(0, kEmptyLine.size());
  }
  if (!splitter.done()) splitter.finish();
  source.rewind();
  co_return splitter.take_back() > 0 || !(after.empty() || after.starts_with(kEmptyLine));
}

// On a worker: an RSA signature takes a millisecond.
Result<std::string> sign_all(const std::vector<const dkim::Signer*>& keys, const std::string& header,
                             const dkim::BodyHashes& hashes, WallTime now) {
  std::string fields;
  for (const dkim::Signer* key : keys) {
    auto field = dkim::signature_field(*key, header, hashes, now);
    if (!field) return std::unexpected(field.error());
    fields += *field;
  }
  return fields;
}

bool has_all(const dkim::BodyHashes& hashes, const std::vector<const dkim::Signer*>& keys) {
  return std::ranges::all_of(keys, [&](const dkim::Signer* key) { return hashes.has(key->body_form); });
}

}  // namespace

bool may_sign(const RelaySettings& way, const DeliverSettings& settings, const queue::Message& message) {
  return settings.dkim && !settings.dkim->empty() && message.submitted && way.sign && leads_out(way.protocol);
}

net::Awaitable<Result<std::string>> signature_fields(net::WorkerPool& workers, const DeliverSettings& settings,
                                                     const Guise& guise, smtp::ContentSource& source, bool converted,
                                                     WallTime now) {
  const queue::Content& content = guise.content();
  // Another server of ours, or the program itself, may have signed it for the same domain.
  const bool stands = !converted && !guise.breaks_signature();
  const std::vector<const dkim::Signer*> keys = settings.dkim->for_header(*content.header, stands);
  if (keys.empty()) co_return std::string();
  auto broken = co_await breaks_off(source);
  if (!broken) co_return std::unexpected(broken.error());
  if (*broken) co_return fail(ErrorKind::kBadInput, "the header breaks off at a line that is no field");
  dkim::BodyHashes hashes{content.message->body_hash_simple, content.message->body_hash_relaxed};
  std::string header = *content.header;
  if (converted || !has_all(hashes, keys)) {
    auto measured =
        co_await measure(source, settings.dkim->uses(dkim::Form::kSimple), settings.dkim->uses(dkim::Form::kRelaxed));
    if (!measured) co_return std::unexpected(measured.error());
    header = std::move(measured->header);
    hashes = measured->hashes;
  }
  auto work = [&keys, &header, &hashes, now] { return sign_all(keys, header, hashes, now); };
  auto fields = co_await net::on_worker(workers, std::move(work));
  if (!fields) co_return std::unexpected(fields.error());
  co_return std::move(*fields);
}

}  // namespace sidegate::deliver
