// One client's conversation: bytes in, replies out. A loop of rounds, each of which parses a batch of
// operations, asks the store to fetch what they will touch, and executes them in order.
import LarderStore

/// A client's conversation: takes what was received, appends what is to be sent.
public struct Session: ~Copyable {
    /// What of a session outlives an idle moment: a byte kept by the connection.
    public struct Standing: Sendable {
        public var isAuthenticated = false
        /// What a client that tried to log in waits for, if anything.
        enum Waiting: UInt8, Sendable {
            case nothing
            /// To hear that it was wrong.
            case refusal
            /// To be looked at.
            case judgement
        }
        var waitsFor = Waiting.nothing
        public init() {}
    }

    /// Where the conversation stands between two calls of `receive`; each case owns what exists only then.
    enum State: ~Copyable {
        /// The next byte begins a request.
        case commands
        /// In the middle of a get line.
        case keys(GetRun)
        /// A long value is arriving.
        case receiving(Receiving)
        /// This many bytes of a refused value are still to come.
        case swallowing(Int)
        /// The rest of a refused get line is still to come.
        case swallowingLine
        case dumping(DumpCursor)

        /// The state, to be consumed; leaves `.commands`.
        mutating func take() -> State {
            let state = consume self
            self = .commands
            return state
        }
    }

    public var standing: Standing
    private(set) var state = State.commands

    public init(_ standing: Standing = Standing()) { self.standing = standing }

    /// What a call of `receive` did, and what its caller has to do.
    public struct Received: ~Copyable {
        /// Bytes of the input that are done with.
        public var consumed: Int
        public var verdict: Verdict
    }

    /// Nothing but `standing` needs to be kept until the next bytes come: `state` is `.commands`. Kept beside
    /// it, since to look at the state costs a copy of its largest case, and each request asks.
    public private(set) var isIdle = true

    mutating func enter(_ next: consuming State) {
        state = next
        isIdle = false
    }

    /// The state, to be gone on with.
    private mutating func leaveState() -> State {
        isIdle = true
        return state.take()
    }

    private var isReceiving: Bool {
        switch state {
        case .receiving: true
        default: false
        }
    }

    /// Answers what `input` holds, as far as it goes.
    public mutating func receive(
        _ input: Span<UInt8>, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> Received {
        var turn = Turn(now: worker.store.now, requests: worker.options.requestsPerTurn)
        return converse(input, &turn, parsed: nil, &worker, &reply)
    }

    /// The same for input whose first round is parsed, of a session that has been idle since.
    public mutating func receive(
        _ input: Span<UInt8>, _ ahead: inout Lookahead, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) -> Received {
        swap(&worker.batch, &ahead.batch)
        defer { swap(&worker.batch, &ahead.batch) }
        return converse(input, &ahead.turn, parsed: ahead.count, &worker, &reply)
    }

    /// Round by round. `parsed`: how many operations of the first are in the batch already.
    private mutating func converse(
        _ input: Span<UInt8>, _ turn: inout Turn, parsed: Int?, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) -> Received {
        var parsed = parsed
        turn.mark = reply.mark
        worker.refreshObservers()
        let showsReplies = worker.observers & EventKind.replies.rawValue != 0
        while true {
            var replyStart = reply.count
            if !isIdle, let verdict = resume(input, &turn, &worker, &reply) {
                return leave(turn, verdict)
            }
            if showsReplies {
                worker.observeReply(reply, from: replyStart)
                replyStart = reply.count
            }
            if worker.options.requiresAuth, !standing.isAuthenticated {
                let verdict = authenticate(input, &turn, &worker, &reply)
                if showsReplies { worker.observeReply(reply, from: replyStart) }
                if let verdict { return leave(turn, verdict) }
                continue
            }
            let (roundStart, count) = parsed.map { (0, $0) } ?? worker.parseAndPrefetch(input, &turn)
            parsed = nil
            let isAlone = worker.store.beginRound()
            let done = executeRound(
                count, input, &turn, &worker, &reply, shownFrom: showsReplies ? replyStart : nil)
            if isAlone { worker.store.endRound() }
            if done < count {
                suspend(at: done, roundStart, &turn, worker)
                return leave(turn, .flush)
            }
            switch turn.stop {
            case .batchFull, .alone: break
            case .needInput: return leave(turn, .needInput)
            case .turnOver:
                worker.store.count(.connYields)
                return leave(turn, .yield)
            case .close: return leave(turn, .close)
            case .command:
                let mark = reply.mark
                let verdict = executeCommand(worker.batch[count - 1], input, &worker, &reply)
                if reply.overflowed { Self.answerNoMemory(mark, &worker, &reply) }
                if showsReplies { worker.observeReply(reply, from: replyStart) }
                if let verdict { return leave(turn, verdict) }
            case .abort: return leave(turn, .abort)
            }
        }
    }

    /// Records the reply to an operation for the log: all that `reply` got from `start` on, and `start` moves
    /// on. Only while the log is of requests.
    @inline(never)
    func show(
        _ operation: Operation, _ start: inout Int, _ turn: Turn, _ worker: borrowing WorkerContext,
        _ reply: borrowing ReplyBuffer
    ) {
        // A refused get takes back what its first keys brought.
        if operation.kind == .refusedGet || reply.count < start { start = ReplyBuffer.start(of: turn.mark) }
        worker.observeReply(reply, from: start)
        start = reply.count
    }

    /// What is left to do when `receive` returns: a get line cut in the middle is remembered.
    private mutating func leave(_ turn: borrowing Turn, _ verdict: consuming Verdict) -> Received {
        if turn.run.isActive { enter(turn.isSkipping ? .swallowingLine : .keys(turn.run)) }
        return Received(consumed: turn.position, verdict: verdict)
    }

    /// The reply buffer is full before operation `i`: the input goes on from there next time.
    private func suspend(
        at i: Int, _ roundStart: Int, _ turn: inout Turn, _ worker: borrowing WorkerContext
    ) {
        turn.position = i == 0 ? roundStart : Int(worker.batch[i - 1].end)
        let operation = worker.batch[i]
        turn.run = GetRun()
        if operation.bits.contains(.continues) {
            turn.run.isActive = true
            turn.run.hasBegun = true
            turn.run.bits = operation.bits.intersection([.withCAS, .touches])
            turn.run.exptime = operation.exptime
        }
    }

    /// Goes on with what an earlier call left unfinished; a verdict when it still is.
    private mutating func resume(
        _ input: Span<UInt8>, _ turn: inout Turn, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> Verdict? {
        switch leaveState() {
        case .commands: break
        case .keys(let run): turn.run = run
        case .receiving(let receiving):
            return continueReceiving(receiving, input, &turn, &worker, &reply)
        case .swallowing(let bytes):
            let taken = min(bytes, input.count - turn.position)
            turn.position += taken
            if taken < bytes {
                enter(.swallowing(bytes - taken))
                return .needInput
            }
        case .swallowingLine:
            guard let newline = Bytes.newline(in: input, from: turn.position) else {
                turn.position = input.count
                enter(.swallowingLine)
                return .needInput
            }
            turn.position = newline + 1
        case .dumping(var cursor):
            if !continueDump(&cursor, &worker, &reply) {
                enter(.dumping(cursor))
                // A step that found nothing to show has nothing to be written: others have their turn.
                return reply.isEmpty ? .yield : .flush
            }
        }
        return nil
    }

    /// In the middle of a dump: how long it takes depends on how much is stored.
    public var isDumping: Bool {
        switch state {
        case .dumping: true
        default: false
        }
    }

    /// When a long value is being received: where the socket may read straight into. No runs otherwise.
    public mutating func freeRuns() -> FreeRuns? {
        guard isReceiving, case .receiving(var receiving) = leaveState() else { return nil }
        let runs = receiving.reservation.freeRuns()
        enter(.receiving(receiving))
        return runs
    }

    /// `bytes` were read into the runs; `receive` (with what follows) goes on from there.
    public mutating func markReceived(_ bytes: Int) {
        guard isReceiving, case .receiving(var receiving) = leaveState() else { return }
        receiving.reservation.markReceived(bytes)
        enter(.receiving(receiving))
    }
}

extension WorkerContext {
    /// Parses the next round and asks for what it will touch; where it begins, and how many operations it
    /// has.
    @inline(__always)
    fileprivate mutating func parseAndPrefetch(
        _ input: Span<UInt8>, _ turn: inout Turn
    ) -> (start: Int, count: Int) {
        let start = turn.position
        let count = parse(input, &turn)
        if count > 1 { prefetchItems(batch, count, store.prefetchItem) }
        return (start, count)
    }
}

/// What one call of `receive` keeps track of.
struct Turn {
    let now: Moment
    /// Where the input goes on.
    var position = 0
    /// Where the reply of the request being executed began.
    var mark = ReplyBuffer.Mark()
    /// Requests that may still be parsed before others are served.
    var requestsLeft: Int
    /// The get line the parser is in.
    var run = GetRun()
    /// Why the last round ended where it did.
    var stop = Stop.needInput
    /// The request being executed failed; its further keys are passed over.
    var isSkipping = false

    enum Stop: UInt8 {
        case batchFull
        /// The last operation must have run before anything else can be parsed.
        case alone
        /// The last operation is a rare command.
        case command
        case needInput, turnOver, close, abort
    }

    /// `requests`: the client's share of the turn.
    init(now: Moment, requests: Int) {
        self.now = now
        requestsLeft = max(requests, 1)
    }
}
