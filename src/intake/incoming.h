// The message under way in one session: envelope, then header block and body as they arrive. No I/O: it says when a
// chunk of the body is full.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "dkim/canonical.h"
#include "mail/header.h"
#include "mail/reply.h"
#include "queue/expected.h"
#include "queue/poison.h"
#include "queue/records.h"
#include "route/ways.h"

namespace sidegate::intake {

// What is known of the ways of a class as its mail comes in.
struct EntryRoutes {
  std::function<route::Decision(const queue::ClassKey&)> decision = {};   // of [[route]] blocks; empty: all passes
  std::function<std::uint64_t(const queue::ClassKey&)> most_octets = {};  // the largest any of them takes; 0: no bound
};

class Incoming {
 public:
  explicit Incoming(queue::Expected& expected) : expected_(expected) {}

  mail::Envelope envelope;
  std::vector<std::string> domains;                 // of the recipients' classes (route::class_domain), same order
  std::unordered_set<std::string> ends;             // what aliases led to (alias::delivery_key): each gets one copy
  std::uint64_t announced = 0;                      // SIZE= of MAIL
  std::shared_ptr<const EntryRoutes> entry_routes;  // null: nothing is known
  mail::Origin origin;                              // of the transaction, where entry_routes are asked at RCPT
  QueueId id;                                       // from DATA on
  queue::InHand in_hand;                            // as long
  std::optional<mail::Reply> refusal;               // why the rest is read for nothing
  std::uint32_t chunks_put = 0;                     // of the body, handed to the store already
  std::uint32_t generation = 0;                     // of the body: filters have made others of it
  bool other_bodies = false;                        // the store has chunks of such as are not wanted
  std::optional<std::string> block;          // the whole header block as filters left it, the trace field included
  std::optional<std::string> hold;           // why it is to be held
  std::optional<std::string> held_by_route;  // why some of it is

  // Makes the body's hashes while it comes in.
  void hash_body(bool simple, bool relaxed) { hasher_.emplace(simple, relaxed); }
  // After finish(). Nothing where none were asked for, or the body is another one than came in.
  const dkim::BodyHasher* body_hashes() const { return hasher_ && !replaced_ ? &*hasher_ : nullptr; }

  // A header that a line which is no field breaks off is mended as it comes in, so that what is done to its fields is
  // done to what everybody reads as its fields: "From " lines of mbox files before it are dropped, and another line
  // gets the empty line that was missing before it. Everything else keeps its octets.
  void mend_header() {
    mends_ = true;
    mbox_ = MboxLine{{}, false};
  }
  bool was_mended() const { return mbox_dropped_ || broken_off_; }
  // A line that is no field ended the header: others may have read on.
  bool broken_off() const { return broken_off_; }

  // Takes what it can of `bytes`, and returns how much; less than all only when the body holds a full chunk, which has
  // to be taken out with take_chunk() first. Sets `refusal` when the header block grows over the limit.
  std::size_t take(std::string_view bytes, std::size_t max_header);
  bool chunk_full() const { return body_.size() == queue::kChunkSize; }
  std::string take_chunk();
  // After the last octet.
  void finish();
  // Another body in the place of the one that came: `rest` is what follows its first `chunks`.
  void replace_body(std::string rest, std::uint32_t chunks, std::uint64_t size, bool eight_bit);
  // Back to the first `count` recipients.
  void keep_recipients(std::size_t count);
  std::string take_header() { return std::exchange(header_, {}); }
  // Gives the memory back: nothing of the content is of any use.
  void drop_content();

  const std::string& header() const { return header_; }
  std::string& body() { return body_; }  // from chunk chunks_put on
  std::uint64_t body_size() const { return body_size_; }
  bool eight_bit_header() const { return eight_bit_header_; }
  // eight_bit: of the whole message, as the session noted it.
  bool eight_bit_body(bool eight_bit) const { return eight_bit_header_ || replaced_ ? eight_bit_body_ : eight_bit; }
  // The body begins with the empty line that ends the header block.
  bool separated() const { return start_size_ == 2 && start_[0] == '\r' && start_[1] == '\n'; }
  // The header block is followed by an empty line, or by nothing: fields may be added at its end. Where a line that is
  // no field ends it ("From " of mbox files, text without any header), nothing but the trace field is ours to add.
  bool well_formed() const { return start_size_ == 0 || separated(); }

 private:
  // The lines before the header, as far as they are not decided.
  struct MboxLine {
    std::string seen;  // of a line that may be one
    bool dropping;     // it is one: up to its end
  };
  std::size_t take_mbox_lines(std::string_view bytes, std::size_t max_header);
  std::size_t push_header(std::string_view bytes, std::size_t max_header);
  void settle_mbox_line(std::size_t max_header);
  void end_header();
  void begin_body(std::string_view bytes);
  void append_body(std::string_view bytes);
  void hash(std::string_view bytes);

  queue::Expected::Token expected_;
  mail::HeaderSplitter splitter_;
  std::string header_;
  std::string body_;
  std::uint64_t body_size_ = 0;
  unsigned start_size_ = 0;  // of start_: the first two octets of the body
  char start_[2] = {};
  bool eight_bit_header_ = false;
  bool eight_bit_body_ = false;  // only looked for where the header has such octets
  bool replaced_ = false;
  bool mends_ = false, mbox_dropped_ = false, broken_off_ = false;
  std::optional<MboxLine> mbox_;  // none: the header has begun
  std::optional<dkim::BodyHasher> hasher_;
};

}  // namespace sidegate::intake
