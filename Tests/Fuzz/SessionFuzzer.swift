// libFuzzer's target: any bytes as a client's conversation with a session and its store. The first byte
// chooses the session's options, the second how the rest is cut; what comes then is what the client sends.
// Besides sanitizer reports and traps these are found: input consumed that wasn't there, a session that never
// comes to rest, an answer that depends on where the input was cut, and a store whose promises don't hold
// afterwards.
import Glibc
import LarderProtocol
import LarderStore

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    guard size > 2 else { return 0 }
    let talk = Array(UnsafeBufferPointer(start: data + 2, count: size - 2))
    Bench.shared.run(talk, options: Int(data[0]) % 3, cut: data[1])
    return 0
}

/// A server that knows one user and nothing else.
private final class StillServer: ServerFacts {
    func settingRows() -> [(String, String)] { [("maxbytes", "1")] }
    func serverFigures() -> ServerFigures { ServerFigures() }
    func connectionRows() -> [ConnectionRow] { [ConnectionRow()] }
    func setMemoryLimit(megabytes: Int) -> Bool { false }
    func resetFigures() {}
    func checkCredentials(
        user: Span<UInt8>, password: Span<UInt8>, descriptor: Int32, hasWaited: Bool
    ) -> LoginAnswer {
        if user.count == 2, !hasWaited { return .askAgain(afterMilliseconds: 7) }
        let isRight = user.count == 1 && password.count == 1 && user[0] == password[0]
        return isRight ? .welcome : .refused(afterMilliseconds: user.count)
    }
}

/// One store and a few workers with different options, kept from run to run and emptied before each.
private final class Bench {
    nonisolated(unsafe) static let shared = Bench()  // libFuzzer calls from one thread

    private let store: Store
    private var workers: [UnsafeMutablePointer<WorkerContext>] = []
    private var runs = 0
    private var ahead = Lookahead()

    private init() {
        var storeOptions = StoreOptions()
        storeOptions.memoryLimit = 16 << 20
        storeOptions.clients = 3
        storeOptions.hashSecret = 1
        store = try! Store(storeOptions)
        for number in 0..<3 {
            var options = SessionOptions()
            options.requestsPerTurn = [1000, 1000, 3][number]
            options.unixTimeOfMomentZero = 1_700_000_000
            options.requiresAuth = number == 1
            options.usesCAS = number != 2
            options.detailEnabled = number == 2
            options.tracksSizes = number == 2
            let worker = UnsafeMutablePointer<WorkerContext>.allocate(capacity: 1)
            worker.initialize(
                to: WorkerContext(
                    store: store.client(number), options: options, facts: StillServer(),
                    admin: AdminState(options: options)))
            workers.append(worker)
        }
    }

    func run(_ talk: [UInt8], options: Int, cut: UInt8) {
        let whole = converse(talk, options, pieces: 0)
        let pieces = converse(talk, options, pieces: cut)
        let isStable = options != 1 && !Self.unstable.contains { Self.contains(talk, $0) }
        // A line of more than 2048 bytes is served if its end is at hand, and closes the connection if not.
        let isLongLine = talk.split(separator: 10).contains { $0.count > 2048 } && whole.starts(with: pieces)
        if isStable, whole != pieces, !isLongLine {
            fatalError(
                "the answer depends on where the input is cut:\n"
                    + String(decoding: whole, as: UTF8.self).debugDescription + "\n"
                    + String(decoding: pieces, as: UTF8.self).debugDescription)
        }
        runs += 1
        guard runs % 512 == 0 else { return }
        let broken = store.brokenInvariants()
        if !broken.isEmpty { fatalError("the store's promises: \(broken)") }
    }

    /// Numbers that differ from run to run, and commands that mind what is yet unsent or change the options.
    private static let unstable = [
        "stats", "gets", "gats", " c", "cas", " C", "me ", "watch", "lru", "slabs", "shutdown",
        "verbosity", "HTTP/",
    ]

    private static func contains(_ talk: [UInt8], _ word: String) -> Bool {
        let word = Array(word.utf8)
        return talk.indices.contains { talk[$0...].starts(with: word) }
    }

    // MARK: one conversation

    private func startOver() {
        let client = store.client(0)
        client.cancelScheduledFlush()
        client.flushAll()
        store.setClock(Moment(100))
    }

    /// Everything that is answered. `pieces` 0: the input comes whole; 1: byte by byte; else in pieces that
    /// follow from the number, long values straight into the store's memory as a socket's would.
    private func converse(_ talk: [UInt8], _ options: Int, pieces: UInt8) -> [UInt8] {
        startOver()
        let worker = workers[options]
        var session = Session()
        var reply = ReplyBuffer()
        defer { reply.reset(store: store.client(options)) }
        var input: [UInt8] = []
        var answer: [UInt8] = []
        var dice = UInt64(pieces)
        var at = 0
        while at < talk.count {
            var length = talk.count
            if pieces > 0 {
                dice = dice &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                length = pieces == 1 ? 1 : 1 + Int(dice >> 33) % (dice >> 60 == 0 ? 5000 : 40)
            }
            let end = min(talk.count, at + length)
            var taken = 0
            if pieces % 2 == 0, pieces > 0, input.isEmpty, let runs = session.freeRuns(), runs.bytes > 0 {
                taken = Self.copy(talk[at..<end], into: runs)
                session.markReceived(taken)
            }
            input += talk[(at + taken)..<end]
            at = end
            guard listen(&session, &input, worker, &reply, &answer, isPartial: dice >> 63 == 1) else { break }
        }
        // What waits at the end is dropped with the session, as a closed connection does it.
        return answer
    }

    /// Lets the session answer the input; false when it ends the conversation.
    private func listen(
        _ session: inout Session, _ input: inout [UInt8], _ worker: UnsafeMutablePointer<WorkerContext>,
        _ reply: inout ReplyBuffer, _ answer: inout [UInt8], isPartial: Bool
    ) -> Bool {
        for _ in 0..<100_000 {
            let isAhead = isPartial && session.isIdle
                && worker.pointee.lookAhead(input.span, session.standing, &ahead)
            let received = isAhead
                ? session.receive(input.span, &ahead, &worker.pointee, &reply)
                : session.receive(input.span, &worker.pointee, &reply)
            let consumed = received.consumed
            guard consumed >= 0, consumed <= input.count else { fatalError("consumed \(consumed)") }
            input.removeFirst(consumed)
            var goesOn = true
            var isOpen = true
            switch received.verdict {
            case .needInput: goesOn = false
            case .flush: break
            case .yield: break
            case .pause: break
            case .effect(let effect): isOpen = Self.staysOpen(after: effect)
            case .close: isOpen = false
            case .abort:
                reply.reset(store: worker.pointee.store)
                return false
            }
            drain(&reply, into: &answer, worker.pointee.store, isPartial: isPartial)
            if !isOpen { return false }
            if !goesOn { return true }
        }
        fatalError("the session does not come to rest")
    }

    private static func staysOpen(after effect: Effect) -> Bool {
        switch effect {
        case .watch, .shutdown: false
        default: true
        }
    }

    private static func copy(_ bytes: ArraySlice<UInt8>, into runs: FreeRuns) -> Int {
        var vectors = [iovec](repeating: iovec(), count: 256)
        let count = runs.fill(&vectors)
        var at = bytes.startIndex
        for vector in vectors[..<count] where at < bytes.endIndex {
            let part = min(vector.iov_len, bytes.endIndex - at)
            _ = bytes[at..<(at + part)].withUnsafeBytes { memcpy(vector.iov_base, $0.baseAddress!, part) }
            at += part
        }
        return at - bytes.startIndex
    }

    /// Takes all the buffer holds, as a socket would: by a few pieces, not always whole ones.
    private func drain(
        _ reply: inout ReplyBuffer, into answer: inout [UInt8], _ store: StoreClient, isPartial: Bool
    ) {
        if isPartial, !reply.isEmpty, var rest = reply.takeUnsent(store: store) {
            take(&rest, into: &answer, store, limit: 3, most: 1000)
        } else {
            take(&reply, into: &answer, store, limit: 64, most: Int.max)
        }
        if reply.overflowed { fatalError("a reply is lost") }
        reply.reset(store: store)
    }

    private func take(
        _ reply: inout ReplyBuffer, into answer: inout [UInt8], _ store: StoreClient, limit: Int, most: Int
    ) {
        var vectors = [iovec](repeating: iovec(), count: 64)
        while !reply.isEmpty {
            let count = reply.fillVectors(&vectors, limit: limit, store: store)
            var taken = 0
            for vector in vectors[..<count] where taken < most {
                let part = min(vector.iov_len, most - taken)
                answer += UnsafeRawBufferPointer(start: vector.iov_base, count: part)
                taken += part
            }
            reply.markSent(taken, store: store)
        }
        reply.reset(store: store)
    }
}
