#include "encode/batch.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "cpu/interrupt.hpp"
#include "text/mapped_file.hpp"

namespace fissile {

namespace {

// Work is handed out in portions of about this many bytes: small enough to balance, large enough that handing out
// costs nothing.
constexpr std::size_t kPortionBytes = std::size_t{256} << 10;
// How far to look for a place to divide a long text.
constexpr std::size_t kDivisionSearch = std::size_t{64} << 10;

// Consecutive whole texts, or a part of one.
struct Portion {
    std::size_t first_text, n_texts;  // n_texts == 0: the part [begin, end) of first_text
    std::size_t begin = 0, end = 0;   // in units of the text
};

class Work {
   public:
    Work(const Encoder& encoder, const std::vector<TextView>& texts, unsigned n_threads)
        : encoder_(encoder), texts_(texts) {
        const bool may_divide =
            n_threads > 1 && std::none_of(encoder.special_tokens().tokens().begin(),
                                          encoder.special_tokens().tokens().end(), [](const AddedToken& t) {
                                              // One that takes white space around it may reach over a division.
                                              return t.content.find('\n') != std::string::npos ||
                                                     (t.flags & (kTokenLeftStrip | kTokenRightStrip)) != 0;
                                          });
        std::size_t begin = 0, n_bytes = 0;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const std::size_t size = texts[i].max_utf8_bytes();
            if (may_divide && size >= 4 * kPortionBytes) {
                close(begin, i);
                divide(i);
                begin = i + 1;
                n_bytes = 0;
                continue;
            }
            n_bytes += size + 16;
            if (n_bytes >= kPortionBytes) {
                close(begin, i + 1);
                begin = i + 1;
                n_bytes = 0;
            }
        }
        close(begin, texts.size());
    }

    const std::vector<Portion>& portions() const { return portions_; }

    template <class Sink>
    void run(const Portion& portion, const BatchOptions& options, Encoder::Workspace& ws, Utf8Buffer& buffer,
             Sink& sink, std::int64_t* n_ids_of_text) const {
        if (portion.n_texts == 0) {
            const TextView& text = texts_[portion.first_text];
            const bool first = portion.begin == 0;
            if (first) sink.append(options.before.data(), options.before.size());
            const TextView part = text.part(portion.begin, portion.end);
            encoder_.encode(utf8(portion.first_text, part, portion.begin, buffer, ws), options.plan, ws, sink, first);
            if (portion.end == text.length) sink.append(options.after.data(), options.after.size());
            return;
        }
        for (std::size_t i = portion.first_text; i < portion.first_text + portion.n_texts; ++i) {
            const std::size_t before = sink.size();
            sink.append(options.before.data(), options.before.size());
            encoder_.encode(utf8(i, texts_[i], 0, buffer, ws), options.plan, ws, sink);
            sink.append(options.after.data(), options.after.size());
            n_ids_of_text[i] = static_cast<std::int64_t>(sink.size() - before);
        }
    }

   private:
    void close(std::size_t begin, std::size_t end) {
        if (begin < end) portions_.push_back({begin, end - begin});
    }

    // texts_[i], or a part of it that begins at unit `begin`, as UTF-8; errors name the text.
    Bytes utf8(std::size_t i, const TextView& text, std::size_t begin, Utf8Buffer& buffer,
               Encoder::Workspace& ws) const {
        try {
            return utf8_of(text, buffer, begin, ws.interrupt);
        } catch (const Cancelled&) {
            throw;
        } catch (const Error& error) {
            throw Error("texts[" + std::to_string(i) + "]: " + error.what());
        }
    }

    void divide(std::size_t i) {
        const TextView& text = texts_[i];
        const std::size_t size = 2 * kPortionBytes * text.length / text.max_utf8_bytes();
        std::size_t begin = 0;
        while (begin < text.length) {
            std::size_t end = std::min(text.length, begin + size);
            const std::size_t limit = std::min(text.length, end + kDivisionSearch);
            while (end < limit && !encoder_.can_divide_between(text.unit(end - 1), text.unit(end))) ++end;
            if (end == limit) end = text.length;  // no place nearby: rather one long part than a slow search
            portions_.push_back({i, 0, begin, end});
            begin = end;
        }
    }

    const Encoder& encoder_;
    const std::vector<TextView>& texts_;
    std::vector<Portion> portions_;
};

// What a worker made of its portions: its own sink, and where each portion's ids lie in it.
template <class Sink>
struct Output {
    Sink sink;
    struct Piece {
        std::size_t portion, begin, end;
    };
    std::vector<Piece> pieces;
};

// Runs the portions on n_threads threads, this one among them. Portions are taken in order, so the earliest error is
// the one that a single thread would have met first.
template <class Sink>
std::vector<Output<Sink>> run_portions(const Work& work, const BatchOptions& options, std::int64_t* n_ids_of_text,
                                       std::size_t ids_expected) {
    const std::vector<Portion>& portions = work.portions();
    const unsigned n_threads =
        static_cast<unsigned>(std::clamp<std::size_t>(options.n_threads, 1, std::max<std::size_t>(portions.size(), 1)));
    std::vector<Output<Sink>> outputs(n_threads);
    Interrupt interrupt(options.keep_going);
    std::atomic<std::size_t> next{0};
    std::mutex error_lock;
    std::size_t error_portion = portions.size();
    std::exception_ptr error;

    const auto worker = [&](unsigned index) {
        std::size_t taken = 0;
        try {
            Encoder::Workspace ws;
            ws.interrupt = &interrupt;
            Utf8Buffer buffer;
            Output<Sink>& out = outputs[index];
            out.sink.reserve_more(ids_expected / n_threads);
            while ((taken = next.fetch_add(1, std::memory_order_relaxed)) < portions.size()) {
                interrupt.check();
                const std::size_t before = out.sink.size();
                work.run(portions[taken], options, ws, buffer, out.sink, n_ids_of_text);
                out.pieces.push_back({taken, before, out.sink.size()});
            }
        } catch (...) {
            const std::lock_guard guard(error_lock);
            if (taken < error_portion) {
                error_portion = taken;
                error = std::current_exception();
            }
            next.store(portions.size(), std::memory_order_relaxed);  // hand out no more; what runs is earlier work
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < n_threads; ++i) threads.emplace_back(worker, i);
    worker(0);
    // The owner may be done while others work: Ctrl-C still has to reach them.
    for (std::thread& thread : threads) thread.join();
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

// The workers' ids in the order of the portions.
IdArray join(std::vector<Output<IdArray>>& outputs, std::size_t n_portions) {
    if (outputs.size() == 1) return std::move(outputs[0].sink);
    struct Source {
        const TokenId* ids;
        std::size_t n;
        std::size_t at;
    };
    std::vector<Source> sources(n_portions);
    for (const auto& output : outputs) {
        for (const auto& piece : output.pieces) {
            sources[piece.portion] = {output.sink.data() + piece.begin, piece.end - piece.begin, 0};
        }
    }
    std::size_t total = 0;
    for (Source& source : sources) {
        source.at = total;
        total += source.n;
    }
    IdArray joined;
    joined.reserve_more(total);
    TokenId* const out = joined.append_uninitialised(total);
    std::atomic<std::size_t> next{0};
    const auto copy = [&] {
        for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < sources.size();) {
            if (sources[i].n != 0) std::memcpy(out + sources[i].at, sources[i].ids, sources[i].n * sizeof(TokenId));
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < outputs.size(); ++i) threads.emplace_back(copy);
    copy();
    for (std::thread& thread : threads) thread.join();
    return joined;
}

}  // namespace

BatchIds encode_batch(const Encoder& encoder, const std::vector<TextView>& texts, const BatchOptions& options) {
    const Work work(encoder, texts, options.n_threads);
    BatchIds result;
    result.offsets.assign(texts.size() + 1, 0);
    std::int64_t* const n_ids = result.offsets.data() + 1;
    std::size_t n_bytes = 0;
    for (const TextView& text : texts) n_bytes += text.length;
    auto outputs = run_portions<IdArray>(work, options, n_ids, n_bytes / 4);
    sum_parts(work, outputs, n_ids);
    for (std::size_t i = 0; i < texts.size(); ++i) n_ids[i] += result.offsets[i];
    result.ids = join(outputs, work.portions().size());
    return result;
}

std::vector<std::int64_t> count_batch(const Encoder& encoder, const std::vector<TextView>& texts,
                                      const BatchOptions& options) {
    const Work work(encoder, texts, options.n_threads);
    std::vector<std::int64_t> n_ids(texts.size(), 0);
    const auto outputs = run_portions<IdCounter>(work, options, n_ids.data(), 0);
    sum_parts(work, outputs, n_ids.data());
    return n_ids;
}

BatchIds encode_files(const Encoder& encoder, const std::vector<std::string>& paths, const std::string& separator,
                      const BatchOptions& options) {
    std::vector<MappedFile> files;
    std::vector<TextView> texts;
    for (const std::string& path : paths) {
        files.emplace_back(path);
        const std::string_view text = as_chars(files.back().bytes());
        for (std::size_t begin = 0;;) {
            const std::size_t found = separator.empty() ? std::string_view::npos : text.find(separator, begin);
            const std::size_t end = std::min(found, text.size());
            texts.push_back({text.data() + begin, end - begin, TextKind::kUtf8});
            if (found == std::string_view::npos) break;
            begin = found + separator.size();
        }
    }
    return encode_batch(encoder, texts, options);
}

}  // namespace fissile
