#include "mta_sts/fetcher.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include <map>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "mta_sts/policy.h"

namespace sidegate::mta_sts {
namespace {

constexpr long kConnectLimit = 20'000;
constexpr int kNap = 1'000;  // milliseconds: the longest wait between two looks

struct SlistFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct Fetch {
  FetchQuestion question;
  std::string host;
  Fetcher::Done done;
  std::string body;
  bool too_large = false;
  char why[CURL_ERROR_SIZE] = {};
  std::unique_ptr<curl_slist, SlistFree> resolve;
  std::unique_ptr<CURL, EasyFree> easy;
};

std::size_t take_body(char* data, std::size_t, std::size_t n, void* to) {
  Fetch& fetch = *static_cast<Fetch*>(to);
  if (fetch.body.size() + n > kLargestPolicy) {
    fetch.too_large = true;
    return 0;
  }
  fetch.body.append(data, n);
  return n;
}

// The same CAs as of mail servers. RFC 8461 section 3.3: the name must be a DNS-ID; RFC 6125 section 6.4.3: a wildcard
// is a whole label.
CURLcode prepare_tls(CURL*, void* context, void* of) {
  auto* ctx = static_cast<SSL_CTX*>(context);
  const Fetch& fetch = *static_cast<const Fetch*>(of);
  if (fetch.question.ca_pem.empty() && SSL_CTX_set_default_verify_paths(ctx) != 1) return CURLE_SSL_CACERT_BADFILE;
  X509_VERIFY_PARAM* param = SSL_CTX_get0_param(ctx);
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(param, fetch.host.c_str(), fetch.host.size()) == 1 ? CURLE_OK
                                                                                        : CURLE_OUT_OF_MEMORY;
}

std::string resolve_entry(const Fetch& fetch, std::uint16_t port) {
  std::string list;
  for (const std::string& address : fetch.question.addresses) {
    if (!list.empty()) list += ',';
    list += address.find(':') == std::string::npos ? address : "[" + address + "]";
  }
  return fmt::format("{}:{}:{}", fetch.host, port, list);
}

// False: out of memory.
bool prepare(Fetch& fetch, const FetchSettings& settings) {
  fetch.easy.reset(curl_easy_init());
  fetch.resolve.reset(curl_slist_append(nullptr, resolve_entry(fetch, settings.port).c_str()));
  CURL* easy = fetch.easy.get();
  if (easy == nullptr || fetch.resolve == nullptr) return false;
  std::string port = settings.port == 443 ? "" : fmt::format(":{}", settings.port);
  const std::string url = fmt::format("https://{}{}/.well-known/mta-sts.txt", fetch.host, port);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);  // RFC 8461 section 3.3: redirects must not be followed
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // whatever the environment says
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_RESOLVE, fetch.resolve.get());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(settings.limit.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::min(kConnectLimit, static_cast<long>(settings.limit.count())));
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, static_cast<long>(kLargestPolicy));
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);  // libcurl's own idea of it
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  if (std::string& pem = fetch.question.ca_pem; !pem.empty()) {
    curl_blob trusted{pem.data(), pem.size(), CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &trusted);
  }
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);  // prepare_tls fills the store of each
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &prepare_tls);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &fetch);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &fetch);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch.why);
  return true;
}

bool is_plain_text(const char* type) {
  if (type == nullptr) return false;
  return iequals(trim(split(type, ';').front()), "text/plain");
}

std::unexpected<FetchTrouble> failed(const Fetch& fetch, Failure failure, std::string_view why) {
  return std::unexpected(FetchTrouble{failure, fmt::format("https://{}: {}", fetch.host, printable(why, 300))});
}

Fetched result_of(Fetch& fetch, CURLcode code) {
  if (fetch.too_large || code == CURLE_FILESIZE_EXCEEDED)
    return failed(fetch, Failure::kInvalid, "the policy is larger than 64 KiB");
  if (code != CURLE_OK) {
    const bool pki = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
                     code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
    const char* why = fetch.why[0] != '\0' ? fetch.why : curl_easy_strerror(code);
    return failed(fetch, pki ? Failure::kWebPki : Failure::kFetch, why);
  }
  long status = 0;
  const char* type = nullptr;
  curl_easy_getinfo(fetch.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(fetch.easy.get(), CURLINFO_CONTENT_TYPE, &type);
  if (status != 200) return failed(fetch, Failure::kFetch, fmt::format("HTTP {}", status));
  // RFC 8461 section 3.2: text/plain, so that no host where strangers may put files of other kinds can give a policy.
  if (!is_plain_text(type))
    return failed(fetch, Failure::kInvalid,
                  fmt::format("the policy is {}, not text/plain", type ? type : "of no type"));
  return std::move(fetch.body);
}

}  // namespace

const char* name(Failure failure) {
  constexpr const char* kNames[] = {"sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"};
  return kNames[static_cast<unsigned>(failure)];
}

struct Fetcher::Body {
  explicit Body(FetchSettings s) : settings(s) {}

  const FetchSettings settings;
  CURLM* multi = nullptr;
  std::mutex mutex;
  std::vector<std::unique_ptr<Fetch>> asked;  // guarded, as what follows
  std::size_t count = 0;                      // asked or under way
  bool ending = false;
  std::thread thread;
  std::map<CURL*, std::unique_ptr<Fetch>> under_way;  // the thread's own

  void run();
  bool take_asked();
  void begin(std::unique_ptr<Fetch> fetch);
  void end(std::unique_ptr<Fetch> fetch, Fetched result);
  void take_finished();
};

void Fetcher::Body::run() {
  pthread_setname_np(pthread_self(), "mta-sts");
  while (take_asked()) {
    int running = 0;
    curl_multi_perform(multi, &running);
    take_finished();
    curl_multi_poll(multi, nullptr, 0, kNap, nullptr);
  }
  while (!under_way.empty()) {
    auto node = under_way.extract(under_way.begin());
    curl_multi_remove_handle(multi, node.key());
    Fetched result = failed(*node.mapped(), Failure::kFetch, "shutting down");
    end(std::move(node.mapped()), std::move(result));
  }
}

// False: it is over; what was asked for and has not begun has had its answer.
bool Fetcher::Body::take_asked() {
  std::vector<std::unique_ptr<Fetch>> fresh;
  bool over = false;
  {
    std::lock_guard lock(mutex);
    fresh = std::move(asked);
    asked.clear();
    over = ending;
  }
  for (auto& fetch : fresh) {
    if (!over) {
      begin(std::move(fetch));
      continue;
    }
    Fetched result = failed(*fetch, Failure::kFetch, "shutting down");
    end(std::move(fetch), std::move(result));
  }
  return !over;
}

void Fetcher::Body::begin(std::unique_ptr<Fetch> fetch) {
  if (!prepare(*fetch, settings) || curl_multi_add_handle(multi, fetch->easy.get()) != CURLM_OK) {
    Fetched result = failed(*fetch, Failure::kFetch, "out of memory");
    return end(std::move(fetch), std::move(result));
  }
  CURL* easy = fetch->easy.get();
  under_way.emplace(easy, std::move(fetch));
}

void Fetcher::Body::take_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    auto node = under_way.extract(message->easy_handle);
    if (!node) continue;
    Fetched result = result_of(*node.mapped(), code);
    curl_multi_remove_handle(multi, node.key());
    end(std::move(node.mapped()), std::move(result));
  }
}

void Fetcher::Body::end(std::unique_ptr<Fetch> fetch, Fetched result) {
  {
    std::lock_guard lock(mutex);
    --count;
  }
  fetch->done(std::move(result));
}

Fetcher::Fetcher(FetchSettings settings) : body_(std::make_unique<Body>(settings)) {}

Fetcher::~Fetcher() {
  {
    std::lock_guard lock(body_->mutex);
    body_->ending = true;
    if (body_->multi != nullptr) curl_multi_wakeup(body_->multi);
  }
  if (body_->thread.joinable()) body_->thread.join();
  if (body_->multi != nullptr) curl_multi_cleanup(body_->multi);
}

void Fetcher::fetch(FetchQuestion question, Done done) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)ready;
  auto fetch = std::make_unique<Fetch>();
  fetch->host = "mta-sts." + question.domain;
  fetch->question = std::move(question);
  fetch->done = std::move(done);
  {
    std::lock_guard lock(body_->mutex);
    if (body_->multi == nullptr) body_->multi = curl_multi_init();
    if (body_->multi != nullptr && body_->count < body_->settings.at_a_time) {
      ++body_->count;
      body_->asked.push_back(std::move(fetch));
      if (!body_->thread.joinable()) body_->thread = std::thread([body = body_.get()] { body->run(); });
      curl_multi_wakeup(body_->multi);
      return;
    }
  }
  Fetched result = failed(*fetch, Failure::kFetch, "too many policies are being fetched");
  fetch->done(std::move(result));
}

}  // namespace sidegate::mta_sts
