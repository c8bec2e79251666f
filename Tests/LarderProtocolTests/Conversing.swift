// A client and a session without a socket between them: bytes in, bytes out, cut wherever a test likes.
import Glibc
import LarderStore
import Testing

@testable import LarderProtocol

/// A server that knows one user and nothing else.
final class StillServer: ServerFacts {
    func settingRows() -> [(String, String)] { [] }
    func serverFigures() -> ServerFigures { ServerFigures() }
    func connectionRows() -> [ConnectionRow] { [] }
    func setMemoryLimit(megabytes: Int) -> Bool { false }
    func resetFigures() {}
    func checkCredentials(
        user: Span<UInt8>, password: Span<UInt8>, descriptor: Int32, hasWaited: Bool
    ) -> LoginAnswer {
        if Bytes.equal(user, "busy"), !hasWaited { return .askAgain(afterMilliseconds: 7) }
        if Bytes.equal(user, "slow") { return .refused(afterMilliseconds: 9) }
        let isRight = Bytes.equal(user, "ann") && Bytes.equal(password, "secret words")
        return isRight ? .welcome : .refused(afterMilliseconds: 0)
    }
}

/// One store with one worker, on which any number of conversations can be held one after the other.
struct Exchange: ~Copyable {
    enum End: Equatable { case open, close, abort }

    let store: Store
    var worker: WorkerContext
    private(set) var effects = [Effect]()
    private(set) var yields = 0
    private(set) var pauses = [Int]()
    private(set) var flushes = 0
    /// Input that comes to an idle session is looked ahead at, and others are answered before it.
    var looksAhead = false
    private var ahead = Lookahead()
    /// How often that was done.
    private(set) var lookedAhead = 0

    init(memory: Int = 16 << 20, evicts: Bool = true, _ change: (inout SessionOptions) -> Void = { _ in }) {
        var options = SessionOptions()
        options.requestsPerTurn = 1000
        options.unixTimeOfMomentZero = 1_700_000_000
        change(&options)
        var storeOptions = StoreOptions()
        storeOptions.memoryLimit = memory
        storeOptions.evicts = evicts
        storeOptions.itemSizeMax = options.itemSizeMax
        store = try! Store(storeOptions)
        store.setClock(Moment(100))
        worker = WorkerContext(
            store: store.client(0), options: options, facts: StillServer(),
            admin: AdminState(options: options))
    }

    /// Forgets all items and sets the clock to 100.
    func startOver() {
        worker.store.flushAll()
        store.setClock(Moment(100))
    }

    /// A whole conversation whose bytes come in the pieces given; what was answered and how it ended.
    mutating func converse(_ pieces: [ArraySlice<UInt8>]) -> (reply: [UInt8], end: End) {
        var session = Session()
        var buffer = ReplyBuffer()
        var input = [UInt8]()
        var answer = [UInt8]()
        for piece in pieces {
            let isBetween = input.isEmpty && session.isIdle
            input += piece
            var isAhead = looksAhead && isBetween && lookAhead(at: input, session.standing)
            while true {
                let received = isAhead
                    ? session.receive(input.span, &ahead, &worker, &buffer)
                    : session.receive(input.span, &worker, &buffer)
                isAhead = false
                let consumed = received.consumed
                precondition(consumed >= 0 && consumed <= input.count)
                input.removeFirst(consumed)
                var goesOn = true
                switch received.verdict {
                case .needInput: goesOn = false
                case .flush: flushes += 1
                case .yield: yields += 1
                case .pause(let milliseconds): pauses.append(milliseconds)
                case .effect(let effect): effects.append(effect)
                case .close:
                    Self.drain(&buffer, into: &answer, worker.store)
                    return (answer, .close)
                case .abort:
                    buffer.reset(store: worker.store)
                    return (answer, .abort)
                }
                Self.drain(&buffer, into: &answer, worker.store)
                if !goesOn { break }
            }
        }
        return (answer, .open)
    }

    /// As a server does that has one more client to read; and another thread's items split the index.
    private mutating func lookAhead(at input: [UInt8], _ standing: Session.Standing) -> Bool {
        guard worker.lookAhead(input.span, standing, &ahead) else { return false }
        lookedAhead += 1
        var other = Session()
        var buffer = ReplyBuffer()
        let request = (0..<20).map { "set other\(lookedAhead % 500).\($0) 0 0 1 noreply\r\nx\r\n" }.joined()
        _ = other.receive(Array(request.utf8).span, &worker, &buffer)
        worker.prefetchItems(&ahead)
        return true
    }

    /// Takes everything the buffer holds, pinned values included.
    private static func drain(_ buffer: inout ReplyBuffer, into answer: inout [UInt8], _ store: StoreClient) {
        while !buffer.isEmpty {
            var vectors = [iovec](repeating: iovec(), count: 64)
            let count = buffer.fillVectors(&vectors, limit: 64, store: store)
            var taken = 0
            for vector in vectors[..<count] {
                answer += UnsafeRawBufferPointer(start: vector.iov_base, count: vector.iov_len)
                taken += vector.iov_len
            }
            buffer.markSent(taken, store: store)
        }
        buffer.reset(store: store)
    }

    /// Holds the conversation whole, cut in two at every byte, and byte by byte, read ahead and not; the
    /// answer must always be the same.
    mutating func check(
        _ request: String, _ expected: String, end: End = .open, location: SourceLocation = #_sourceLocation
    ) {
        let bytes = Array(request.utf8)
        startOver()
        let whole = converse([bytes[...]])
        #expect(text(whole.reply) == expected, sourceLocation: location)
        #expect(whole.end == end, sourceLocation: location)
        for cut in bytes.indices.dropFirst() {
            for isAhead in [false, true] {
                startOver()
                looksAhead = isAhead
                let answer = converse([bytes[..<cut], bytes[cut...]])
                looksAhead = false
                if answer.reply != whole.reply || answer.end != whole.end {
                    Issue.record(
                        "cut at \(cut)\(isAhead ? ", ahead" : ""): \(text(answer.reply)) \(answer.end)",
                        sourceLocation: location)
                    return
                }
            }
        }
        startOver()
        let answer = converse(bytes.indices.map { bytes[$0...$0] })
        #expect(text(answer.reply) == expected, "byte by byte", sourceLocation: location)
        #expect(answer.end == end, sourceLocation: location)
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
