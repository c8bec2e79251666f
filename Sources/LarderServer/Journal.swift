// From the workers' rings to those who watch: takes the records out in the order in which they happened,
// makes each a line once, and hands it to every watcher that asked for its kind; at -vv the log is one more,
// of requests. Runs on the main thread, by a timer that exists only while somebody watches; a watcher that
// reads slowly loses lines and is told how many.
import Glibc
import LarderProtocol
import LarderStore
import Synchronization

final class Journal: @unchecked Sendable { // `enrolled` is locked, the rest belongs to the main thread
    /// More watchers than this are refused.
    static let watchersMax = 20
    /// Records made into lines before the main thread looks after other things.
    private static let recordsPerStep = 4096
    private static let pauseMilliseconds = 1...32
    /// What the log is told at -vv.
    private static let requests: EventKind = [.rawcmds, .replies]

    /// A connection that asked to watch, on its way to the main thread.
    private struct Enrolled {
        var count = 0
        /// What the watchers asked for, and what the log wants.
        var kinds: UInt32 = 0
        var logged: UInt32 = 0
        var waiting: [Watcher] = []
    }

    let log: EventLog
    private let rings: [EventRing]
    private let bufferBytes: Int
    private let enrolled = Guarded(Enrolled())
    private let server: Server
    private let loop: EventLoop
    private let timer: UnsafeMutablePointer<Event>
    private var watchers: [Watcher] = []
    private var pause = Journal.pauseMilliseconds.lowerBound
    private var payload: [UInt8] = []
    private var line: [UInt8] = []
    /// Records the workers had no room for, as far as watchers have been told.
    private var dropsTold: UInt64 = 0
    /// Lines that did not fit a watcher's buffer, and lines that did, since the start.
    let skipped = Atomic<UInt64>(0)
    let sent = Atomic<UInt64>(0)

    init(server: Server, loop: EventLoop, log: EventLog, rings: [EventRing], bufferBytes: Int) {
        self.server = server
        self.loop = loop
        self.log = log
        self.rings = rings
        self.bufferBytes = bufferBytes
        timer = .allocate(capacity: 1)
        timer.initialize(to: Event())
        loop.assign(timer, -1, 0, Self.stepDue, Unmanaged.passUnretained(self).toOpaque())
    }

    var watcherCount: Int { enrolled.withLock { $0.count } }
    var recordsWritten: UInt64 { rings.reduce(0) { $0 &+ $1.writtenCount } }
    var recordsDropped: UInt64 { rings.reduce(0) { $0 &+ $1.droppedCount } }

    // MARK: Called by workers

    /// Makes the client behind `descriptor` a watcher and tells it so; false if there are too many. What
    /// happens after the answer is recorded for it, whichever thread does it.
    func enroll(_ descriptor: Int32, _ kinds: UInt32, _ stream: TLSStream?) -> Bool {
        let isIn = enrolled.withLock { state -> Bool in
            guard state.count < Self.watchersMax else { return false }
            state.count += 1
            state.kinds |= kinds
            record(state)
            let watcher = Watcher(
                descriptor: descriptor, stream: stream, kinds: kinds, since: log.nextSequence(),
                bufferBytes: bufferBytes)
            watcher.greet()
            state.waiting.append(watcher)
            return true
        }
        if isIn { server.wakeMain() }
        return isIn
    }

    // MARK: On the main thread

    /// Takes over those that enrolled, the log among them when it has become talkative.
    func welcome() {
        let logged = server.log.showsRequests ? Self.requests.rawValue : 0
        let isNews = enrolled.withLock { state in
            guard state.logged != logged else { return false }
            state.logged = logged
            record(state)
            return true
        }
        if isNews, logged != 0 { schedule(Self.pauseMilliseconds.lowerBound) }
        let arrived = enrolled.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        guard !arrived.isEmpty else { return }
        if watchers.isEmpty { dropsTold = recordsDropped }
        for watcher in arrived {
            watchers.append(watcher)
            if !watcher.start(loop) { watcher.isGone = true }
        }
        schedule(Self.pauseMilliseconds.lowerBound)
    }

    /// After the workers have ended: the log gets what they left.
    func stop() {
        welcome()
        timer.remove()
        if server.log.showsRequests {
            while let ring = oldest(), let record = ring.take(&payload) { deliver(record) }
        }
        for watcher in watchers { watcher.isGone = true }
        dismiss()
        timer.deallocate()
    }

    private static let stepDue: EventCallback = { _, _, argument in
        Unmanaged<Journal>.fromOpaque(argument!).takeUnretainedValue().step()
    }

    private func schedule(_ milliseconds: Int) {
        pause = milliseconds
        _ = timer.add(milliseconds: milliseconds)
    }

    private func step() {
        var records = 0
        while records < Self.recordsPerStep, let ring = oldest() {
            guard let record = ring.take(&payload) else { break }
            records += 1
            deliver(record)
        }
        tellDrops()
        for watcher in watchers { watcher.flush() }
        dismiss()
        guard !watchers.isEmpty || server.log.showsRequests else { return }
        // Busy times are looked after at once, quiet ones ever more seldom.
        let range = Self.pauseMilliseconds
        schedule(records > 0 ? range.lowerBound : min(pause * 2, range.upperBound))
    }

    /// The ring whose first record is the oldest of all.
    private func oldest() -> EventRing? {
        var best: EventRing?
        var bestSequence = UInt64.max
        for ring in rings {
            guard let record = ring.peek(), record.sequence < bestSequence else { continue }
            best = ring
            bestSequence = record.sequence
        }
        return best
    }

    /// What got lost on the way here might have been for any of them.
    private func tellDrops() {
        let drops = recordsDropped
        guard drops != dropsTold else { return }
        for watcher in watchers { watcher.lose(drops &- dropsTold) }
        dropsTold = drops
    }

    private func deliver(_ record: EventRecord) {
        line.removeAll(keepingCapacity: true)
        if record.kind & Self.requests.rawValue != 0 {
            let arrow = record.line == EventLine.reply.rawValue ? ">" : "<"
            server.log.debug("\(arrow)\(record.descriptor) \(String(decoding: payload, as: UTF8.self))")
        }
        for watcher in watchers where watcher.kinds & record.kind != 0 && record.sequence > watcher.since {
            if line.isEmpty { EventLine.append(record, payload: payload, to: &line) }
            if watcher.take(line) {
                sent.add(1, ordering: .relaxed)
            } else {
                skipped.add(1, ordering: .relaxed)
            }
        }
    }

    /// Lets go of those that went away; when nobody is left, nothing is recorded any more.
    private func dismiss() {
        let gone = watchers.filter(\.isGone)
        guard !gone.isEmpty else { return }
        watchers.removeAll(where: \.isGone)
        for watcher in gone {
            server.table.clear(watcher.descriptor)
            watcher.end()
            server.tally.current.subtract(1, ordering: .relaxed)
        }
        let kinds = watchers.reduce(0) { $0 | $1.kinds }
        enrolled.withLock { state in
            state.count -= gone.count
            state.kinds = state.waiting.reduce(kinds) { $0 | $1.kinds }
            record(state)
        }
    }

    /// Lets the workers record what somebody wants.
    private func record(_ state: Enrolled) {
        log.setMask(state.kinds | state.logged, in: EventKind.watchable.rawValue)
    }
}
