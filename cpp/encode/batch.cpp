#include "encode/batch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <type_traits>

#include "cpu/interrupt.hpp"
#include "cpu/prefetch.hpp"
#include "cpu/run_on_threads.hpp"
#include "text/mapped_file.hpp"

namespace fissile {

namespace {

// Work is handed out in portions of about this many bytes: small enough to balance, large enough that handing out
// costs nothing.
constexpr std::size_t kPortionBytes = std::size_t{256} << 10;
// Short texts are converted and encoded together, up to about so many bytes.
constexpr std::size_t kConvertedTogether = std::size_t{64} << 10;
// How far to look for a place to divide a long text: at first, and at the least where there were none.
constexpr std::size_t kDivisionSearch = std::size_t{64} << 10, kLeastDivisionSearch = std::size_t{4} << 10;

// Whether no added token minds what lies behind a place where can_divide_between allows a cut.
bool no_token_spans_divisions(const Encoder& encoder) {
    const auto& tokens = encoder.special_tokens().tokens();
    return std::none_of(tokens.begin(), tokens.end(), [](const AddedToken& t) {
        return (t.flags & (kTokenLeftStrip | kTokenRightStrip | kTokenSingleWord)) != 0;
    });
}

// Consecutive whole texts, or a part of one.
struct Portion {
    std::size_t first_text, n_texts;  // n_texts == 0: the part [begin, end) of first_text
    std::size_t begin = 0, end = 0;   // in units of the text
};

// What a worker made of its portions: its own sink, and where each portion's ids lie in it.
template <class Sink>
struct Output {
    Sink sink;
    IdArray parents;  // as long as the sink, if parents are wanted
    struct Piece {
        std::size_t portion, begin, end;
    };
    std::vector<Piece> pieces;
};

// Splits texts, with what a thread needs for that.
class TextSplitter {
   public:
    TextSplitter(const BatchOptions& options, Interrupt& interrupt)
        : canonical_options(options),
          splitting_(options.splitting),
          ending_(options.ending),
          scratch_(options.splitting.splitter->make_scratch()) {
        scratch_->interrupt = &interrupt;
        canonical_options.ending.clear();  // it stands behind what was split
        canonical_options.continues_first = canonical_options.continues_last = false;
    }

    // Appends the ids of texts[i]; returns how many.
    std::size_t split(std::size_t i, const SpannedIds& canonical, IdArray& out, IdArray* parents) {
        const std::size_t before = out.size();
        const DocumentKey key{splitting_.seed, splitting_.epoch, splitting_.first_index + i};
        splitting_.splitter->split(canonical, key, *scratch_, out, parents);
        out.append(ending_.data(), ending_.size());
        return out.size() - before;
    }

    bool needs_spans() const { return splitting_.splitter->needs_spans(); }

    BatchOptions canonical_options;  // of what is to be split
    IdArray ids;                     // the canonical ones
    SpanIds spans;                   // the same with their spans

   private:
    const Splitting& splitting_;
    const std::vector<TokenId>& ending_;
    std::unique_ptr<Splitter::Scratch> scratch_;
};

class Work {
   public:
    Work(const Encoder& encoder, const std::vector<TextView>& texts, const BatchOptions& options)
        : encoder_(encoder), texts_(texts) {
        // What is drawn for a text depends on all of it, so a text that is split at random is not divided. Nor is one
        // in which texts are looked for that may lie over any place.
        const bool may_divide = options.n_threads > 1 && options.splitting.splitter == nullptr &&
                                !options.plan.other_texts && no_token_spans_divisions(encoder);
        std::size_t begin = 0, n_bytes = 0;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const std::size_t size = texts[i].max_utf8_bytes();
            if (may_divide && size >= 4 * kPortionBytes) {
                close(begin, i, n_bytes);
                divide(i);
                begin = i + 1;
                n_bytes = 0;
                continue;
            }
            n_bytes += size + 16;
            if (n_bytes >= kPortionBytes) {
                close(begin, i + 1, n_bytes);
                begin = i + 1;
                n_bytes = 0;
            }
        }
        close(begin, texts.size(), n_bytes);
    }

    const std::vector<Portion>& portions() const { return portions_; }

    // Whether a portion that begins among the ids of others has so many of them that the way to their place takes as
    // long as all the rest.
    bool is_mostly_one_portion() const { return largest_but_first_ / 2 > n_bytes_ - largest_but_first_; }

    // The portion's texts, split. n_canonical, if not null, gets the number of ids each had before.
    void run_split(const Portion& portion, TextSplitter& splitter, Encoder::Workspace& ws, Utf8Buffer& buffer,
                   IdArray& out, IdArray* parents, std::int64_t* n_ids_of_text, std::int64_t* n_canonical) const {
        const std::size_t end = portion.first_text + portion.n_texts;
        // As many texts at a time as stay in the inner cache until they are split.
        for (std::size_t first = portion.first_text; first < end;) {
            Portion some{first, 0};
            for (std::size_t n_bytes = 0; first < end && n_bytes < kConvertedTogether; ++first, ++some.n_texts) {
                n_bytes += texts_[first].max_utf8_bytes();
            }
            if (splitter.needs_spans()) {
                splitter.spans.clear();
                run(some, splitter.canonical_options, ws, buffer, splitter.spans, n_ids_of_text);
            } else {
                splitter.ids.clear();
                run(some, splitter.canonical_options, ws, buffer, splitter.ids, n_ids_of_text);
            }
            const TokenId* ids = splitter.needs_spans() ? splitter.spans.data() : splitter.ids.data();
            std::size_t n_ids = 0, n_spans = 0;  // that are split
            for (std::size_t i = some.first_text; i < first; ++i) {
                SpannedIds canonical{ids + n_ids, static_cast<std::size_t>(n_ids_of_text[i]), nullptr, 0};
                if (splitter.needs_spans()) {
                    const std::span<const std::uint32_t> ends =
                        splitter.spans.count_from(n_ids, n_spans, n_ids + canonical.n_ids);
                    canonical.span_ends = ends.data();
                    canonical.n_spans = ends.size();
                    n_spans += ends.size();
                }
                n_ids += canonical.n_ids;
                n_ids_of_text[i] = static_cast<std::int64_t>(splitter.split(i, canonical, out, parents));
                if (n_canonical != nullptr) n_canonical[i] = static_cast<std::int64_t>(canonical.n_ids);
            }
        }
    }

    template <class Sink>
    void run(const Portion& portion, const BatchOptions& options, Encoder::Workspace& ws, Utf8Buffer& buffer,
             Sink& sink, std::int64_t* n_ids_of_text) const {
        if (portion.n_texts == 0) {
            const std::size_t i = portion.first_text;
            const bool begins = portion.begin == 0 && begins_document(i, options);
            const TextView part = texts_[i].part(portion.begin, portion.end);
            if (begins) sink.append(options.before.data(), options.before.size());
            named(i,
                  [&] { encoder_.encode(utf8(i, part, portion.begin, buffer, ws), options.plan, ws, sink, begins); });
            if (portion.end == texts_[i].length) append_end(i, options, ws, sink);
            return;
        }
        auto n_before = static_cast<std::int64_t>(sink.size());
        const std::size_t end = portion.first_text + portion.n_texts;
        try {
            for (std::size_t i = portion.first_text; i < end; ++i) {
                if (i + 1 < end) ask_for(texts_[i + 1]);
                const bool begins = begins_document(i, options);
                if (begins) append_tokens(options.before, ws, sink);
                if (!buffer.has_room(utf8_room(texts_[i]))) encoder_.finish(ws, sink);  // what waits may be there
                const Bytes text = utf8(i, texts_[i], 0, buffer, ws);
                if (texts_[i].kind != TextKind::kUtf8) buffer.keep(text.size());
                named(i, [&] { encoder_.add(text, options.plan, ws, sink, begins); });
                append_end(i, options, ws, sink);
                encoder_.mark(n_ids_of_text + i, ws, sink);
            }
        } catch (const Cancelled&) {
            throw;
        } catch (const Error&) {
            encoder_.finish(ws, sink);  // an error in a text before that one comes first
            throw;
        }
        encoder_.finish(ws, sink);
        for (std::size_t i = portion.first_text; i < end; ++i) {
            const std::int64_t n_by_then = n_ids_of_text[i];
            n_ids_of_text[i] -= n_before;
            n_before = n_by_then;
        }
    }

   private:
    static bool begins_document(std::size_t i, const BatchOptions& options) {
        return i != 0 || !options.continues_first;
    }

    // Has the beginning of a text brought near: by itself the processor sees where the reading leads to when it is
    // over.
    static void ask_for(const TextView& text) {
        constexpr std::size_t kLine = 64;
        const auto* const bytes = static_cast<const std::uint8_t*>(text.data);
        const std::size_t n = std::min(text.n_bytes(), kTextAhead);
        for (std::size_t i = 0; i < n; i += kLine) prefetch_far(bytes + i);
    }

    template <class Sink>
    void append_end(std::size_t i, const BatchOptions& options, Encoder::Workspace& ws, Sink& sink) const {
        if (i + 1 == texts_.size() && options.continues_last) return;
        append_tokens(options.after, ws, sink);
        append_tokens(options.ending, ws, sink);
    }

    // Each is a span of its own.
    template <class Sink>
    void append_tokens(const std::vector<TokenId>& tokens, Encoder::Workspace& ws, Sink& sink) const {
        const std::size_t n_together = Sink::kWholeSpans ? 1 : tokens.size();
        for (std::size_t i = 0; i < tokens.size(); i += n_together) {
            encoder_.append(tokens.data() + i, n_together, ws, sink);
        }
    }

    void close(std::size_t begin, std::size_t end, std::size_t n_bytes) {
        if (begin < end) add({begin, end - begin}, n_bytes);
    }

    // Runs a call that encodes texts_[i]; errors name the text.
    template <class Call>
    static std::invoke_result_t<Call> named(std::size_t i, const Call& call) {
        try {
            return call();
        } catch (const DisallowedSpecial& error) {
            throw DisallowedSpecial(error.token(), i, "texts[" + std::to_string(i) + "]");
        }
    }

    // texts_[i], or a part of it that begins at unit `begin`, as UTF-8; errors name the text.
    Bytes utf8(std::size_t i, const TextView& text, std::size_t begin, Utf8Buffer& buffer,
               Encoder::Workspace& ws) const {
        try {
            return utf8_of(text, buffer, begin, ws.spans.interrupt);
        } catch (const Cancelled&) {
            throw;
        } catch (const Error& error) {
            throw Error("texts[" + std::to_string(i) + "]: " + error.what());
        }
    }

    void divide(std::size_t i) {
        const TextView& text = texts_[i];
        const std::size_t unit_bytes = text.max_utf8_bytes() / text.length;
        const std::size_t size = 2 * kPortionBytes / unit_bytes;
        std::size_t begin = 0, search = kDivisionSearch;
        for (std::size_t near = size; near < text.length; near += size) {
            const std::size_t limit = std::min(text.length, near + search);
            std::size_t end = near;
            while (end < limit && !encoder_.can_divide_between(text.unit(end - 1), text.unit(end))) ++end;
            // Where there is none nearby, maybe further on: but rather long parts than a slow search.
            search = end == limit ? std::max(search / 2, kLeastDivisionSearch) : kDivisionSearch;
            if (end == limit) continue;
            add({i, 0, begin, end}, (end - begin) * unit_bytes);
            begin = near = end;
        }
        add({i, 0, begin, text.length}, (text.length - begin) * unit_bytes);
    }

    void add(Portion portion, std::size_t n_bytes) {
        if (!portions_.empty()) largest_but_first_ = std::max(largest_but_first_, n_bytes);
        n_bytes_ += n_bytes;
        portions_.push_back(portion);
    }

    const Encoder& encoder_;
    const std::vector<TextView>& texts_;
    std::vector<Portion> portions_;
    std::size_t n_bytes_ = 0, largest_but_first_ = 0;  // of the portions
};

// Portions that nobody has taken, between two ends.
class PortionRange {
   public:
    explicit PortionRange(std::size_t n) : ends_(std::uint64_t{n} << 32) {}

    // False: none is left.
    bool take_first(std::size_t& portion) {
        return change([&](std::uint32_t& first, std::uint32_t&) { portion = first++; });
    }
    bool take_last(std::size_t& portion) {
        return change([&](std::uint32_t&, std::uint32_t& end) { portion = --end; });
    }
    // Has none from `portion` on handed out any more.
    void drop_from(std::size_t portion) {
        change([&](std::uint32_t&, std::uint32_t& end) { end = std::min(end, static_cast<std::uint32_t>(portion)); });
    }

   private:
    template <class Change>
    bool change(const Change& apply) {
        std::uint64_t before = ends_.load(std::memory_order_relaxed), after = 0;
        do {
            auto first = static_cast<std::uint32_t>(before), end = static_cast<std::uint32_t>(before >> 32);
            if (first >= end) return false;
            apply(first, end);
            after = std::uint64_t{end} << 32 | first;
        } while (!ends_.compare_exchange_weak(before, after, std::memory_order_relaxed));
        return true;
    }
    std::atomic<std::uint64_t> ends_;  // the first, and above it the one behind the last
};

// Runs the portions on n_threads threads, this one among them. This one takes them from the front, so that its ids are
// where they belong, and the others from the back. What lies in front of a portion with an error is done all the same,
// so the earliest error is the one that a single thread would have met first.
template <class Sink>
std::vector<Output<Sink>> run_portions(const Work& work, const BatchOptions& options, std::int64_t* n_ids_of_text,
                                       std::size_t ids_expected, std::int64_t* n_canonical = nullptr) {
    const std::vector<Portion>& portions = work.portions();
    const bool are_joined = std::is_same_v<Sink, IdArray> && options.splitting.splitter == nullptr;
    const std::size_t most_threads = are_joined && work.is_mostly_one_portion() ? 1 : portions.size();
    const unsigned n_threads =
        static_cast<unsigned>(std::clamp<std::size_t>(options.n_threads, 1, std::max<std::size_t>(most_threads, 1)));
    std::vector<Output<Sink>> outputs(n_threads);
    Interrupt interrupt(options.keep_going);
    PortionRange left(portions.size());
    std::mutex error_lock;
    std::size_t error_portion = portions.size();
    std::exception_ptr error;

    const auto worker = [&](unsigned index) {
        std::size_t taken = 0;
        try {
            // Too large for the stacks of some systems' threads; not zeroed, as a small batch touches little of it.
            const auto kept = std::make_unique_for_overwrite<Encoder::Workspace>();
            Encoder::Workspace& ws = *kept;
            ws.spans.interrupt = &interrupt;
            Utf8Buffer buffer(kConvertedTogether);
            Output<Sink>& out = outputs[index];
            out.sink.reserve_more(index == 0 ? ids_expected : ids_expected / n_threads);  // the first gets those of all
            std::optional<TextSplitter> splitter;
            if (options.splitting.splitter != nullptr) splitter.emplace(options, interrupt);
            while (index == 0 ? left.take_first(taken) : left.take_last(taken)) {
                interrupt.check();
                const std::size_t before = out.sink.size();
                if constexpr (std::is_same_v<Sink, IdArray>) {
                    if (splitter) {
                        work.run_split(portions[taken], *splitter, ws, buffer, out.sink,
                                       options.splitting.want_parents ? &out.parents : nullptr, n_ids_of_text,
                                       n_canonical);
                    } else {
                        work.run(portions[taken], options, ws, buffer, out.sink, n_ids_of_text);
                    }
                } else {
                    work.run(portions[taken], options, ws, buffer, out.sink, n_ids_of_text);
                }
                out.pieces.push_back({taken, before, out.sink.size()});
            }
        } catch (...) {
            const std::lock_guard guard(error_lock);
            if (taken < error_portion) {
                error_portion = taken;
                error = std::current_exception();
            }
            left.drop_from(taken);  // what runs, and what is left, is earlier work
        }
    };
    const std::exception_ptr interrupted = run_on_threads(n_threads, interrupt, worker);
    if (!error) error = interrupted;
    if (error) std::rethrow_exception(error);
    return outputs;
}

template <class Sink>
void sum_parts(const Work& work, const std::vector<Output<Sink>>& outputs, std::int64_t* n_ids_of_text) {
    for (const auto& output : outputs) {
        for (const auto& piece : output.pieces) {
            const Portion& portion = work.portions()[piece.portion];
            if (portion.n_texts == 0)
                n_ids_of_text[portion.first_text] += static_cast<std::int64_t>(piece.end - piece.begin);
        }
    }
}

// The workers' ids, or parents, in the order of the portions.
//
// Threads take huge pages of the result, not portions: several portions begin on the same page, and of the threads that
// touch it first at the same time each would make a page of zeros, all but one in vain. With 16 threads that was most
// of the time.
IdArray join(std::vector<Output<IdArray>>& outputs, IdArray Output<IdArray>::*part, std::size_t n_portions) {
    IdArray joined = std::move(outputs[0].*part);  // of the first portions
    if (outputs.size() == 1) return joined;
    struct Source {
        const TokenId* ids = nullptr;
        std::size_t n = 0;
        std::size_t at = 0;
    };
    std::vector<Source> sources(n_portions);  // of the others
    for (std::size_t i = 1; i < outputs.size(); ++i) {
        for (const auto& piece : outputs[i].pieces) {
            sources[piece.portion] = {(outputs[i].*part).data() + piece.begin, piece.end - piece.begin, 0};
        }
    }
    std::erase_if(sources, [](const Source& source) { return source.n == 0; });
    std::size_t total = 0;
    for (Source& source : sources) {
        source.at = total;
        total += source.n;
    }
    joined.reserve_more(total);
    TokenId* const out = joined.append_uninitialised(total);
    constexpr std::size_t kIdsOfPage = HugeBuffer::kHugePage / sizeof(TokenId);
    // Ids that the page has room for on which the first of these stands.
    const std::size_t n_first =
        kIdsOfPage - reinterpret_cast<std::uintptr_t>(out) % HugeBuffer::kHugePage / sizeof(TokenId);
    const std::size_t n_pages = total <= n_first ? 1 : 1 + (total - n_first + kIdsOfPage - 1) / kIdsOfPage;
    std::atomic<std::size_t> next{0};
    const auto copy = [&] {
        for (std::size_t page; (page = next.fetch_add(1, std::memory_order_relaxed)) < n_pages;) {
            std::size_t at = page == 0 ? 0 : n_first + (page - 1) * kIdsOfPage;
            const std::size_t end = std::min(total, n_first + page * kIdsOfPage);
            auto source =
                std::partition_point(sources.begin(), sources.end(), [&](const Source& s) { return s.at + s.n <= at; });
            for (; at < end; ++source) {
                const std::size_t from = at - source->at, n = std::min(source->n - from, end - at);
                std::memcpy(out + at, source->ids + from, n * sizeof(TokenId));
                at += n;
            }
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < std::min(outputs.size(), n_pages); ++i) threads.emplace_back(copy);
    copy();
    for (std::thread& thread : threads) thread.join();
    return joined;
}

}  // namespace

BatchIds encode_batch(const Encoder& encoder, const std::vector<TextView>& texts, const BatchOptions& options) {
    const Work work(encoder, texts, options);
    BatchIds result;
    result.offsets.assign(texts.size() + 1, 0);
    std::int64_t* const n_ids = result.offsets.data() + 1;
    std::size_t n_bytes = 0;  // or more: what is not written to costs nothing
    for (const TextView& text : texts) n_bytes += text.max_utf8_bytes();
    std::vector<std::int64_t> n_canonical(options.splitting.want_parents ? texts.size() : 0);
    auto outputs = run_portions<IdArray>(work, options, n_ids, n_bytes / 4,
                                         options.splitting.want_parents ? n_canonical.data() : nullptr);
    sum_parts(work, outputs, n_ids);
    for (std::size_t i = 0; i < texts.size(); ++i) n_ids[i] += result.offsets[i];
    result.ids = join(outputs, &Output<IdArray>::sink, work.portions().size());
    if (options.splitting.want_parents) {
        const IdArray places = join(outputs, &Output<IdArray>::parents, work.portions().size());
        result.parents.resize(places.size());
        std::int64_t first = 0;  // of a text's ids before splitting
        for (std::size_t i = 0; i < texts.size(); first += n_canonical[i++]) {
            for (std::int64_t at = result.offsets[i]; at < result.offsets[i + 1]; ++at) {
                result.parents[static_cast<std::size_t>(at)] = first + places.data()[at];
            }
        }
    }
    return result;
}

std::vector<std::int64_t> count_batch(const Encoder& encoder, const std::vector<TextView>& texts,
                                      const BatchOptions& options) {
    const Work work(encoder, texts, options);
    std::vector<std::int64_t> n_ids(texts.size(), 0);
    const auto outputs = run_portions<IdCounter>(work, options, n_ids.data(), 0);
    sum_parts(work, outputs, n_ids.data());
    return n_ids;
}

std::size_t last_division(const Encoder& encoder, Bytes text) {
    if (!no_token_spans_divisions(encoder)) return 0;
    std::size_t end = text.size();
    while (end > 1 && !encoder.can_divide_between(text[end - 2], text[end - 1])) --end;
    return end > 1 ? end - 1 : 0;
}

std::vector<TextView> divided(const std::vector<Bytes>& texts, const std::string& separator) {
    std::vector<TextView> parts;
    for (const Bytes& bytes : texts) {
        const std::string_view text = as_chars(bytes);
        for (std::size_t begin = 0;;) {
            const std::size_t found = separator.empty() ? std::string_view::npos : text.find(separator, begin);
            const std::size_t end = std::min(found, text.size());
            parts.push_back({text.data() + begin, end - begin, TextKind::kUtf8});
            if (found == std::string_view::npos) break;
            begin = found + separator.size();
        }
    }
    return parts;
}

namespace {

// How to name document i of some files.
std::string place_of(std::size_t i, const std::vector<std::string>& paths, const std::vector<Bytes>& texts,
                     const std::string& separator) {
    std::size_t file = 0;
    for (std::size_t n; i >= (n = divided({texts[file]}, separator).size()); ++file) i -= n;
    return separator.empty() ? paths[file] : paths[file] + ", document " + std::to_string(i) + " (counted from 0)";
}

}  // namespace

BatchIds encode_files(const Encoder& encoder, const std::vector<std::string>& paths, const std::string& separator,
                      const BatchOptions& options) {
    std::vector<MappedFile> files;
    std::vector<Bytes> texts;
    for (const std::string& path : paths) texts.push_back(files.emplace_back(path).bytes());
    try {
        return encode_batch(encoder, divided(texts, separator), options);
    } catch (const DisallowedSpecial& error) {
        throw DisallowedSpecial(error.token(), error.index(), place_of(error.index(), paths, texts, separator));
    }
}

}  // namespace fissile
