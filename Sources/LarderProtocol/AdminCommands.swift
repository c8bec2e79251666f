// The commands operators type: which there are, and those that turn the server itself (memory limit,
// verbosity, watch, shutdown). Nothing here is on the request path: a command is a handful of strings.
import LarderStore

/// What became of a rare command. Its answer, if any, has been appended to the reply.
enum AdminOutcome {
    case answered
    /// No such command: the session answers ERROR.
    case unknown
    /// Something for the server to do.
    case effect(Effect)
    /// A dump has begun: the session is in it until it ends.
    case dump(DumpCursor)
    /// Close after what is due has been sent.
    case close
}

extension Session {
    /// Executes a line the request path doesn't know; `line` has no line end.
    mutating func executeAdmin(
        _ line: Span<UInt8>, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        AdminCommands.execute(line, &worker, &reply)
    }

    /// Goes on with a dump for one step; true when it has ended. A step may append nothing at all: then
    /// others are to have their turn before it is asked again.
    mutating func continueDump(
        _ cursor: inout DumpCursor, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> Bool {
        cursor.proceed(&worker, &reply)
    }
}

enum AdminCommands {
    typealias Handler = @Sendable (
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome

    /// One row per command. `answersAlways`: a last word `noreply` silences all others.
    private struct Command {
        let name: String
        let answersAlways: Bool
        let handler: Handler
        init(_ name: String, answersAlways: Bool = false, _ handler: @escaping Handler) {
            self.name = name
            self.answersAlways = answersAlways
            self.handler = handler
        }
    }

    private static let commands = [
        Command("stats", answersAlways: true, StatsCommand.execute),
        Command("watch", answersAlways: true, watch),
        Command("cache_memlimit", cacheMemoryLimit),
        Command("verbosity", verbosity),
        Command("shutdown", shutdown),
        Command("slabs", SlabCommands.slabs),
        Command("lru", SlabCommands.lru),
        Command("lru_crawler", CrawlerCommands.execute),
        Command("refresh_certs") { _, _, _ in .effect(.refreshCertificates) },
    ]

    /// Executes the command line `line` (without its line end) if it is an admin command.
    static func execute(
        _ line: Span<UInt8>, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard SpareMemory.isThere else {
            reply.append("SERVER_ERROR out of memory\r\n")
            return .answered
        }
        let words = words(of: line)
        guard let name = words.first, let command = commands.first(where: { $0.name == name }) else {
            return .unknown
        }
        let isSilent = !command.answersAlways && words.count > 1 && words.last == "noreply"
        let mark = reply.mark
        let outcome = command.handler(words, &worker, &reply)
        if isSilent { reply.rollback(to: mark, store: worker.store) }
        if reply.overflowed {
            reply.refuse(after: mark, "SERVER_ERROR out of memory writing stats\r\n", store: worker.store)
        }
        return outcome
    }

    /// The words of a command line, split at blanks.
    static func words(of line: Span<UInt8>) -> [String] {
        var words = [String]()
        var word = [UInt8]()
        for i in line.indices {
            if line[i] != 0x20 {
                word.append(line[i])
            } else if !word.isEmpty {
                words.append(String(decoding: word, as: UTF8.self))
                word.removeAll(keepingCapacity: true)
            }
        }
        if !word.isEmpty { words.append(String(decoding: word, as: UTF8.self)) }
        return words
    }

    // MARK: Commands

    @Sendable
    private static func watch(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard worker.options.allowsWatch else {
            reply.append("CLIENT_ERROR watch commands not allowed\r\n")
            return .answered
        }
        guard reply.isEmpty else {
            reply.append("ERROR cannot pipeline other commands before watch\r\n")
            return .answered
        }
        var kinds = words.count > 1 ? EventKind() : .fetchers
        for word in words.dropFirst() {
            guard let kind = EventKind.names.first(where: { $0.0 == word })?.1 else {
                reply.append("ERROR\r\n")
                return .answered
            }
            kinds.insert(kind)
        }
        return .effect(.watch(kinds.rawValue))
    }

    @Sendable
    private static func cacheMemoryLimit(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard let megabytes = Arguments.unsigned(words, 1) else {
            reply.append("ERROR\r\n")
            return .answered
        }
        if megabytes < 8 {
            reply.append("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n")
        } else if megabytes > 1_000_000_000 {
            reply.append("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n")
        } else if worker.facts.setMemoryLimit(megabytes: Int(megabytes)) {
            worker.admin.remember("maxbytes", String(UInt64(megabytes) << 20))
            reply.append("OK\r\n")
        } else {
            reply.append("MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n")
        }
        return .answered
    }

    /// The highest level a client may set, as in memcached; `-vvv` at start goes higher.
    private static let verbosityMax: UInt32 = 2

    @Sendable
    private static func verbosity(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard let level = Arguments.unsigned(words, 1) else {
            reply.append("CLIENT_ERROR bad command line format\r\n")
            return .answered
        }
        let clamped = min(level, verbosityMax)
        worker.admin.remember("verbosity", String(clamped))
        reply.append("OK\r\n")
        return .effect(.setVerbosity(Int(clamped)))
    }

    @Sendable
    private static func shutdown(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard worker.options.allowsShutdown else {
            reply.append("SERVER_ERROR: shutdown not enabled\r\n")
            return .answered
        }
        if words.count == 1 { return .effect(.shutdown(graceful: false)) }
        if words.count == 2, words[1] == "graceful" { return .effect(.shutdown(graceful: true)) }
        reply.append("CLIENT_ERROR invalid shutdown mode\r\n")
        return .answered
    }
}

/// Numbers among the words of a command; nil where the word is missing or no such number.
enum Arguments {
    static func unsigned(_ words: [String], _ index: Int) -> UInt32? {
        guard index < words.count, let first = words[index].utf8.first, first != 0x2B else { return nil }
        return UInt32(words[index])
    }

    static func signed(_ words: [String], _ index: Int) -> Int32? {
        guard index < words.count, let first = words[index].utf8.first, first != 0x2B else { return nil }
        return Int32(words[index])
    }

    static func real(_ words: [String], _ index: Int) -> Double? {
        guard index < words.count, let value = Double(words[index]), value.isFinite else { return nil }
        return value
    }
}
