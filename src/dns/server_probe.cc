#include "dns/server_probe.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>

#include "base/text.h"

namespace sidegate::dns {
namespace {

constexpr std::uint16_t kSoa = 6, kOpt = 41, kRrsig = 46;

void append_16(std::string& out, unsigned value) {
  out += {static_cast<char>(value >> 8), static_cast<char>(value)};
}

struct Reader {
  std::string_view message;
  std::size_t at = 0;
  bool good = true;

  unsigned octet() {
    if (at >= message.size()) {
      good = false;
      return 0;
    }
    return static_cast<unsigned char>(message[at++]);
  }
  unsigned number_16() {
    const unsigned high = octet();
    return high << 8 | octet();
  }
  void skip(std::size_t n) {
    if (n > message.size() - at) good = false;
    at = std::min(at + n, message.size());
  }
  // RFC 1035 section 4.1.4: a name ends with a pointer, or with the root.
  void skip_name() {
    while (good) {
      const unsigned length = octet();
      if ((length & 0xc0) == 0xc0) return skip(1);
      if (length == 0) return;
      skip(length);
    }
  }
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// "192.0.2.53", "192.0.2.53@5353", "fe80::1%eth0".
std::optional<Address> address_of(std::string_view server) {
  Address out;
  unsigned port = 53;
  if (const std::size_t at = server.rfind('@'); at != std::string_view::npos) {
    auto number = parse_number(server.substr(at + 1));
    if (!number || *number > 65535) return std::nullopt;
    port = static_cast<unsigned>(*number);
    server = server.substr(0, at);
  }
  std::string host(server), zone;
  if (const std::size_t at = host.find('%'); at != std::string::npos) {
    zone = host.substr(at + 1);
    host.resize(at);
  }
  auto* four = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET, host.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(port));
    out.size = sizeof *four;
    return out;
  }
  if (inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) != 1) return std::nullopt;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(static_cast<std::uint16_t>(port));
  if (!zone.empty()) six->sin6_scope_id = if_nametoindex(zone.c_str());
  out.size = sizeof *six;
  return out;
}

// One socket with its question under way.
class Asking {
 public:
  Asking(const Address& to, int type, std::uint16_t id, bool dnssec) : id_(id), tcp_(type == SOCK_STREAM) {
    fd_ = ::socket(to.storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    question_ = make_root_question(id, dnssec);
    if (tcp_) {  // RFC 1035 section 4.2.2: two octets of length
      std::string length;
      append_16(length, static_cast<unsigned>(question_.size()));
      question_ = length + question_;
    }
    if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0 &&
        errno != EINPROGRESS)
      give_up();
  }
  ~Asking() { give_up(); }
  Asking(const Asking&) = delete;

  bool waiting() const { return fd_ >= 0; }
  pollfd polled() const { return {fd_, static_cast<short>(sent_ ? POLLIN : POLLIN | POLLOUT), 0}; }
  const std::optional<RootAnswer>& answer() const { return answer_; }

  void again() {
    if (fd_ >= 0 && !tcp_ && sent_) (void)!::send(fd_, question_.data(), question_.size(), MSG_NOSIGNAL);
  }

  void step(short events) {
    if (fd_ < 0 || events == 0) return;
    if (!sent_ && (events & POLLOUT) != 0) {
      if (::send(fd_, question_.data(), question_.size(), MSG_NOSIGNAL) < 0) return give_up();
      sent_ = true;
    }
    if ((events & (POLLIN | POLLERR | POLLHUP)) == 0) return;
    std::array<char, 4096> buffer{};
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return give_up();
    std::string_view got(buffer.data(), static_cast<std::size_t>(n));
    if (tcp_) {
      kept_ += got;
      if (kept_.size() > 8192) return give_up();
      if (kept_.size() < 2) return;
      got = std::string_view(kept_).substr(2);
      if (got.size() < Reader{kept_}.number_16()) return;
    }
    answer_ = read_root_answer(got, id_);
    if (answer_ || tcp_) give_up();
  }

 private:
  void give_up() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  int fd_ = -1;
  const std::uint16_t id_;
  const bool tcp_;
  bool sent_ = false;
  std::string question_, kept_;
  std::optional<RootAnswer> answer_;
};

}  // namespace

std::string make_root_question(std::uint16_t id, bool dnssec) {
  std::string out;
  append_16(out, id);
  append_16(out, dnssec ? 0x0120 : 0x0100);  // recursion desired; RFC 6840 section 5.7: AD asks for the verdict
  append_16(out, 1);
  out.append(5, '\0');
  out += dnssec ? '\1' : '\0';
  out += '\0';  // the root
  append_16(out, kSoa);
  append_16(out, 1);
  if (!dnssec) return out;
  out += '\0';  // RFC 6891 section 6.1.2
  append_16(out, kOpt);
  append_16(out, 1232);
  out.append(2, '\0');
  append_16(out, 0x8000);  // DO, RFC 3225
  append_16(out, 0);
  return out;
}

std::optional<RootAnswer> read_root_answer(std::string_view message, std::uint16_t id) {
  Reader reader{message};
  const bool mine = reader.number_16() == id;
  const unsigned flags = reader.number_16(), questions = reader.number_16();
  unsigned records = 0;
  for (int section = 0; section < 3; ++section) records += reader.number_16();
  if (!reader.good || !mine || (flags & 0x8000) == 0 || questions > 1) return std::nullopt;
  RootAnswer out;
  out.rcode = static_cast<int>(flags & 15);
  out.authentic = (flags & 0x0020) != 0;
  if (questions == 1) {
    reader.skip_name();
    reader.skip(4);
  }
  for (records = std::min(records, 256u); records > 0 && reader.good; --records) {
    reader.skip_name();
    const unsigned type = reader.number_16();
    reader.skip(6);
    reader.skip(reader.number_16());
    if (!reader.good) break;
    out.edns |= type == kOpt;
    out.signatures |= type == kRrsig;
  }
  return out;
}

ServerSeen probe_server(const std::string& server, Duration limit) {
  ServerSeen seen;
  seen.server = server;
  auto to = address_of(server);
  if (!to) return seen;
  std::random_device random;
  auto number = [&random] { return static_cast<std::uint16_t>(random()); };
  Asking plain(*to, SOCK_DGRAM, number(), false), rich(*to, SOCK_DGRAM, number(), true);
  Asking tcp(*to, SOCK_STREAM, number(), false);
  std::array<Asking*, 3> all{&plain, &rich, &tcp};
  const SteadyTime began = std::chrono::steady_clock::now(), end = began + limit;
  SteadyTime repeat = began + Duration(1000);  // a datagram may be lost
  for (SteadyTime now = began; now < end; now = std::chrono::steady_clock::now()) {
    std::array<pollfd, 3> polled{};
    for (std::size_t i = 0; i < 3; ++i) polled[i] = all[i]->polled();
    if (std::ranges::none_of(all, &Asking::waiting)) break;
    auto left = std::chrono::duration_cast<Duration>(std::min(repeat, end) - now).count() + 1;
    ::poll(polled.data(), polled.size(), static_cast<int>(std::clamp<std::int64_t>(left, 1, 60'000)));
    for (std::size_t i = 0; i < 3; ++i) all[i]->step(polled[i].revents);
    now = std::chrono::steady_clock::now();
    const bool first = plain.answer() || rich.answer() || tcp.answer();
    if (first && seen.milliseconds < 0) seen.milliseconds = std::chrono::duration_cast<Duration>(now - began).count();
    if (now < repeat) continue;
    for (Asking* each : all) each->again();
    repeat = now + Duration(1000);
  }
  const auto& best = plain.answer() ? plain.answer() : rich.answer() ? rich.answer() : tcp.answer();
  seen.answers = best.has_value();
  if (best) seen.rcode = best->rcode;
  if (rich.answer()) {
    seen.edns = rich.answer()->edns;
    seen.signatures = rich.answer()->signatures;
    seen.validates = rich.answer()->authentic && rich.answer()->rcode == 0;
  }
  seen.tcp = tcp.answer().has_value();
  return seen;
}

}  // namespace sidegate::dns
