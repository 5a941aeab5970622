#include "dns/unbound.h"

#include <unbound.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace sidegate::dns {

namespace {

constexpr std::pair<const char*, const char*> kOptions[] = {
    {"do-not-query-localhost:", "no"},
    {"unblock-lan-zones:", "yes"},
    {"qname-minimisation:", "no"},  // we forward, and poor forwarders fail on names that have no address
    {"edns-buffer-size:", "1232"},  // below what gets fragmented
    {"infra-host-ttl:", "60"},      // a forwarder that was down is not believed dead for a quarter of an hour
    {"infra-keep-probing:", "yes"},
    {"cache-max-negative-ttl:", "60"},
    // Small: this is a mail server's handful of names.
    {"msg-cache-size:", "256k"},
    {"rrset-cache-size:", "512k"},
    {"key-cache-size:", "16k"},
    {"neg-cache-size:", "16k"},
    {"infra-cache-numhosts:", "100"},
    {"outgoing-range:", "128"},
    {"num-queries-per-thread:", "256"},
};

// Zones that libunbound would answer by itself (RFC 6761, RFC 8375) and that a local server may well know.
constexpr const char* kLocalZones[] = {"test.", "invalid.", "home.arpa."};

void add_trust_anchor(ub_ctx* context, const std::string& text) {
  for (std::string_view line : split(text, '\n')) {
    line = trim(line.substr(0, line.find(';')));
    if (!line.empty()) ub_ctx_add_ta(context, std::string(line).c_str());  // what is none is passed over
  }
}

Answer answer_of(int error, const ub_result* result) {
  Answer answer;
  if (error != 0 || result == nullptr) {
    answer.verdict = Verdict::kSilent;
    answer.why = ub_strerror(error);
  } else if (result->nxdomain) {
    answer.verdict = Verdict::kNoName;
  } else if (result->rcode != 0) {
    answer.verdict = Verdict::kFailed;
    answer.why = result->rcode == 2   ? "SERVFAIL"
                 : result->rcode == 5 ? "REFUSED"
                                      : "rcode " + std::to_string(result->rcode);
  } else {
    for (int i = 0; result->havedata && result->data[i] != nullptr; ++i) {
      const std::string_view data(result->data[i], static_cast<std::size_t>(result->len[i]));
      if (auto text = record_text(static_cast<RecordType>(result->qtype), data))
        answer.list.push_back(std::move(*text));
    }
    answer.ttl = static_cast<std::uint32_t>(std::max(result->ttl, 0));
    answer.verdict = answer.list.empty() ? Verdict::kNoData : Verdict::kFound;
  }
  if (result != nullptr) {
    answer.secure = result->secure != 0;
    answer.bogus = result->bogus != 0;
    answer.canonical = lower(result->canonname != nullptr ? result->canonname : result->qname);
    if (answer.canonical.size() > 1 && answer.canonical.ends_with('.')) answer.canonical.pop_back();
    if (answer.bogus) {
      answer.verdict = Verdict::kFailed;
      answer.why = result->why_bogus != nullptr ? result->why_bogus : "DNSSEC validation failed";
    }
  }
  return answer;
}

}  // namespace

struct Unbound::Question {
  Unbound* owner;
  int number = -1;
  Done done;
};

Unbound::Unbound(const std::vector<std::string>& servers, const std::string& trust_anchor) : context_(ub_ctx_create()) {
  if (context_ == nullptr) return;
  ub_ctx_debugout(context_, nullptr);  // what it has to say is in the answers; stderr is the log's
  for (auto [option, value] : kOptions) ub_ctx_set_option(context_, option, value);
  // Whether a name can be validated is no question where only addresses are wanted.
  ub_ctx_set_option(context_, "module-config:", trust_anchor.empty() ? "iterator" : "validator iterator");
  add_trust_anchor(context_, trust_anchor);
  bool any = false;
  for (const std::string& server : servers) any |= ub_ctx_set_fwd(context_, server.c_str()) == 0;
  // Without a forwarder it would ask the root servers.
  if (!any || ub_ctx_async(context_, 1) != 0) {
    ub_ctx_delete(std::exchange(context_, nullptr));
    return;
  }
  for (const char* zone : kLocalZones) ub_ctx_zone_add(context_, zone, "transparent");
}

Unbound::~Unbound() {
  if (context_ != nullptr) ub_ctx_delete(context_);
}

int Unbound::fd() const {
  return context_ != nullptr ? ub_fd(context_) : -1;
}

int Unbound::ask(const std::string& name, RecordType type, Done done) {
  if (context_ == nullptr) return -1;
  auto question = std::make_unique<Question>(Question{this, -1, std::move(done)});
  int type_number = static_cast<int>(type);
  if (ub_resolve_async(context_, name.c_str(), type_number, 1, question.get(), &Unbound::on_result,
                       &question->number) != 0) {
    return -1;
  }
  questions_.push_back(std::move(question));
  return questions_.back()->number;
}

void Unbound::cancel(int number) {
  auto at = std::find_if(questions_.begin(), questions_.end(), [number](const auto& q) { return q->number == number; });
  if (at == questions_.end()) return;
  ub_cancel(context_, number);
  questions_.erase(at);
}

void Unbound::on_result(void* data, int error, ub_result* result) {
  auto* question = static_cast<Question*>(data);
  Answer answer = answer_of(error, result);
  if (result != nullptr) ub_resolve_free(result);
  auto& all = question->owner->questions_;
  auto at = std::find_if(all.begin(), all.end(), [question](const auto& q) { return q.get() == question; });
  if (at == all.end()) return;
  Done done = std::move(question->done);
  all.erase(at);
  done(std::move(answer));
}

void Unbound::process() {
  if (context_ != nullptr) ub_process(context_);
}

}  // namespace sidegate::dns
