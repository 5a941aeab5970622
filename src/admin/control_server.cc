#include "admin/control_server.h"

#include <grp.h>
#include <unistd.h>

#include <limits>
#include <set>

#include "net/socket.h"

namespace sidegate::admin {
namespace {

constexpr std::size_t kMaxSessions = 64;
constexpr Duration kIdle = std::chrono::minutes(5);
// A client that shows rows in a pager may read slowly; it holds one page of rows meanwhile, nothing else.
constexpr Duration kSlowReader = std::chrono::hours(1);

class StreamSink final : public RowSink {
 public:
  explicit StreamSink(net::Stream& stream) : stream_(stream) {}
  net::Awaitable<Status> row(std::string json) override {
    pending_ += row_line(json);
    if (pending_.size() < kBuffered) co_return Status{};
    co_return co_await flush({});
  }
  net::Awaitable<Status> flush(std::string last) {
    pending_ += last;
    stream_.expires_after(kSlowReader);
    auto written = co_await stream_.write(pending_);
    pending_.clear();
    co_return written;
  }

 private:
  static constexpr std::size_t kBuffered = 32 * 1024;
  net::Stream& stream_;
  std::string pending_;
};

}  // namespace

net::Awaitable<void> serve_control(net::Loop& loop, net::Stream& stream, Control& control) {
  for (;;) {
    stream.expires_after(kIdle);
    auto line = co_await stream.read_line(kMaxRequest, kMaxRequest);
    if (!line) {
      if (line.error().kind == ErrorKind::kTooLarge) {
        std::string answer = error_line(Error{ErrorKind::kTooLarge, "the request is too long"});
        co_await stream.write(answer);
      }
      co_return;
    }
    auto request = parse_request(*line);
    StreamSink sink(stream);
    std::string last;
    if (!request) {
      last = error_line(request.error());
    } else {
      loop.log().info("control",
                      {{"uid", stream.peer().uid}, {"command", name(request->verb)}, {"dry_run", request->dry_run}});
      Request asked = std::move(*request);
      auto done = co_await control.handle(std::move(asked), sink);
      last = done ? done_line(*done) : error_line(done.error());
    }
    auto written = co_await sink.flush(std::move(last));
    if (!written) co_return;
  }
}

struct ControlServer::State : std::enable_shared_from_this<State> {
  State(net::Loop& l, Control& c) : loop(l), control(c) {}
  net::Loop& loop;
  Control& control;
  std::unique_ptr<net::Acceptor> acceptor;
  std::set<net::Stream*> sessions;  // on the loop
  bool stopping = false;

  static net::Awaitable<void> session(std::shared_ptr<State> self, std::unique_ptr<net::Stream> stream) {
    self->sessions.insert(stream.get());
    co_await serve_control(self->loop, *stream, self->control);
    self->sessions.erase(stream.get());
    stream->close();
  }

  void connected(std::unique_ptr<net::Stream> stream) {
    if (stopping || sessions.size() >= kMaxSessions) return stream->close();
    loop.spawn("control session", session(shared_from_this(), std::move(stream)));
  }
};

Result<int> bind_control_socket(const std::string& path, const std::string& group) {
  auto fd = net::bind_unix_listener(path, 0660);
  if (!fd) return fd;
  const struct group* entry = group.empty() ? nullptr : getgrnam(group.c_str());
  if (entry != nullptr && geteuid() == 0 && chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0)
    return std::unexpected(errno_error(errno, "chown " + path));
  return fd;
}

ControlServer::ControlServer(net::Loop& loop, int fd, Control& control)
    : state_(std::make_shared<State>(loop, control)) {
  std::weak_ptr<State> weak = state_;
  auto connected = [weak](std::unique_ptr<net::Stream> stream) {
    if (auto state = weak.lock()) state->connected(std::move(stream));
  };
  // The operator may use what is kept from clients: that is when status is asked for.
  constexpr int kNoLimit = std::numeric_limits<int>::max();
  state_->acceptor = std::make_unique<net::Acceptor>(loop, fd, std::move(connected), kNoLimit);
}

ControlServer::~ControlServer() {
  stop();
}
void ControlServer::start() {
  state_->acceptor->start();
}

void ControlServer::stop() {
  state_->acceptor->stop();
  state_->loop.post([state = state_] {
    state->stopping = true;
    for (net::Stream* stream : state->sessions) stream->cancel();
  });
}

}  // namespace sidegate::admin
