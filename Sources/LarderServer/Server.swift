// The daemon: builds its parts in order, runs until it is told to stop, and takes them down in reverse. Owns
// the main thread's loop, where clients are accepted, watchers served and signals heard.
import CSystem
import Glibc
import LarderProtocol
import LarderStore
import Synchronization

public final class Server: @unchecked Sendable {
    // Safe to share: what changes after `run` has begun is atomic, locked, or touched by the main thread
    // only.

    /// Why it stops.
    enum StopReason: Int, Sendable {
        case none, normal, graceful
    }

    let settings: Settings
    let log: Log
    let tls: TLSService?
    /// Asks for passwords; nil without `-Y`.
    let doorkeeper: Doorkeeper?
    let table: ConnectionTable
    let tally = Tally()
    let admin: AdminState
    let startMicroseconds = monotonicMicroseconds()
    let startUnixTime = UInt64(time(nil))
    let residentMemory = ResidentMemory()
    private(set) var workers: [WorkerPointer] = []
    private(set) var listeners: ListenerSet

    private let store: Store
    private let unixClock: UnixClock
    /// Only read (the clock, snapshots) by the main thread; the housekeeper is the one that works with it.
    let housekeeping: StoreClient
    let life: ProcessLife
    private let signals: SignalSource?
    private let loop: EventLoop
    private let wakeUp: WakeUp
    private let stopReason = Atomic<Int>(StopReason.none.rawValue)
    private let events: UnsafeMutablePointer<Event>
    private static let eventCount = 3
    /// What other threads may ask after, fixed before any of them runs.
    private(set) var mailboxes: [Mailbox] = []
    let mainPulse = Atomic<UInt64>(0)
    let watchdog = Watchdog()
    /// The threads whose silence is in the log.
    var reportedSilent: [String] = []
    private var acceptor: Acceptor?
    private var datagrams: [DatagramsPointer] = []
    private(set) var journal: Journal?
    private var http: HTTPServer?
    /// What SIGHUP has read again, in this order.
    let rereadables: [Rereadable]

    /// Opens the sockets and makes every part; nothing runs yet.
    init(
        _ settings: Settings, log: Log, life: ProcessLife, tls: TLSService? = nil,
        doorkeeper: Doorkeeper? = nil, inherited: [InheritedSocket] = [], signals: SignalSource? = nil
    ) throws(StartFailure) {
        self.settings = settings
        self.log = log
        self.life = life
        self.tls = tls
        self.doorkeeper = doorkeeper
        rereadables = [doorkeeper?.rereadable, tls?.rereadable].compactMap { $0 }
        self.signals = signals
        guard let table = ConnectionTable(), let loop = EventLoop(), let wakeUp = WakeUp() else {
            throw .system("cannot start: \(errorText())")
        }
        self.table = table
        self.loop = loop
        self.wakeUp = wakeUp
        do {
            store = try Store(settings.storeOptions)
        } catch {
            throw .system("cannot reserve \(settings.memoryMegabytes) MiB: \(error)")
        }
        housekeeping = store.client(settings.threads)
        if !settings.tuning.lruCrawler { housekeeping.setCrawler(enabled: false) }
        events = .allocate(capacity: Self.eventCount)
        events.initialize(repeating: Event(), count: Self.eventCount)
        listeners = try ListenerSet(settings, inherited: inherited)
        if doorkeeper != nil, listeners.listeners.contains(where: { $0.transport == .udp }) {
            throw .usage("-Y: passwords are not asked for over UDP, and a UDP socket was handed over")
        }
        var options = settings.sessionOptions
        options.unixTimeOfMomentZero = store.unixTimeOfMomentZero
        unixClock = options.unixClock
        admin = AdminState(options: options)
        try makeWorkers(options)
        try makeMainEvents()
        if !listeners.http.isEmpty {
            http = HTTPServer(StatusDesk(server: self, options: options), listeners: listeners.http, log: log)
            guard http != nil else { throw .system("cannot serve HTTP: \(errorText())") }
        }
    }

    private func makeWorkers(_ options: SessionOptions) throws(StartFailure) {
        var rings: [EventRing] = []
        for index in 0..<settings.threads {
            guard let ring = EventRing(capacity: settings.tuning.workerBufferBytes, log: admin.log) else {
                throw .system("no memory for worker \(index)")
            }
            rings.append(ring)
            let client = store.client(index)
            client.setEvictionLog(EvictionLog(ring: ring, numbers: EventLine.storeNumbers))
            let context = WorkerContext(
                store: client, options: options, facts: self, admin: admin, ring: ring)
            let made = WorkerPointer.make(index: index, server: self, context: context, ring: ring)
            guard let worker = made else {
                throw .system("cannot make worker \(index): \(errorText())")
            }
            workers.append(worker)
            mailboxes.append(worker.pointee.mailbox)
        }
        // Housekeeping moves pages and evicts, too.
        if let ring = EventRing(capacity: settings.tuning.workerBufferBytes, log: admin.log) {
            rings.append(ring)
            housekeeping.setEvictionLog(EvictionLog(ring: ring, numbers: EventLine.storeNumbers))
        }
        journal = Journal(
            server: self, loop: loop, log: admin.log, rings: rings,
            bufferBytes: settings.tuning.watcherBufferBytes)
    }

    private func makeMainEvents() throws(StartFailure) {
        let acceptor = Acceptor(server: self, loop: loop, listeners: listeners.listeners)
        self.acceptor = acceptor
        for listener in listeners.listeners where listener.transport == .udp {
            // One worker serves a datagram socket: workers sharing it would wake each other for nothing.
            let worker = workers[datagrams.count % workers.count]
            guard let served = DatagramsPointer.make(listener, worker) else {
                throw .system("no memory for UDP")
            }
            datagrams.append(served)
        }
        let this = Unmanaged.passUnretained(self).toOpaque()
        loop.assign(events, wakeUp.descriptor, Readiness.read | Readiness.persist, mainRung, this)
        var isReady = events.add() && acceptor.start()
        if let signals {
            loop.assign(events + 1, signals.descriptor, Readiness.read | Readiness.persist, signalCame, this)
            isReady = isReady && (events + 1).add()
        }
        loop.assign(events + 2, -1, Readiness.persist, beatDue, this)
        if asksForPulse {
            isReady = isReady && (events + 2).add(
                milliseconds: watchdog?.beatMilliseconds ?? Heartbeat.intervalMilliseconds)
        }
        guard isReady else { throw .system("cannot watch the listening sockets: \(errorText())") }
    }

    /// Whether anybody wants to know who still answers; otherwise nobody is woken for it.
    private var asksForPulse: Bool { settings.http != nil || watchdog != nil }

    // MARK: Life

    /// Serves until it is told to stop; returns the exit status.
    public func run() -> Int32 {
        let now = monotonicMicroseconds()
        mainPulse.store(now, ordering: .relaxed)
        for mailbox in mailboxes { mailbox.pulse.store(now, ordering: .relaxed) }
        var threads: [Thread] = []
        let keeper = Housekeeper(store, housekeeping, unixClock)
        for worker in workers {
            let runner = WorkerRunner(worker: worker)
            let name = "larder-w\(worker.pointee.index)"
            guard let thread = Thread(name, { runner.run() }) else { break }
            threads.append(thread)
        }
        let keeping = Thread("larder-keeper") { keeper.run() }
        let serving = http.flatMap { http in Thread("larder-http") { http.run() } }
        var isSafe = false
        let isComplete =
            threads.count == workers.count && keeping != nil && (http == nil || serving != nil)
        if isComplete {
            life.ready(listening: listeners.listeners.map(describe))
            for listener in listeners.http {
                log.notice("metrics and a status page are at http://\(listener.address?.readable ?? "?")/")
            }
            csys_forget_startup_code()
            journal?.welcome()
            // Now that all threads exist, and before the first client is taken in.
            isSafe = filterSystemCalls()
            if isSafe { loop.run() }
            let isGraceful = stopReason.load(ordering: .relaxed) == StopReason.graceful.rawValue
            life.stopping(reason: isGraceful ? "gracefully" : "as told")
        } else {
            log.error("cannot start a thread")
        }
        acceptor?.stop()
        for worker in workers { worker.pointee.mailbox.post(.stop) }
        for thread in threads { thread.join() }
        keeper.stop()
        keeping?.join()
        http?.stop()
        serving?.join()
        takeDown()
        life.ended()
        return isComplete && isSafe ? 0 : 71
    }

    private func takeDown() {
        http?.free()
        http = nil
        journal?.stop()
        journal = nil
        for served in datagrams { served.destroy() }
        for worker in workers { worker.destroy() }
        workers = []
        acceptor?.free()
        acceptor = nil
        for i in 0..<Self.eventCount { (events + i).remove() }
        events.deallocate()
        listeners.close()
        loop.free()
        wakeUp.close()
        residentMemory.close()
        table.free()
    }

    private func describe(_ listener: Listener) -> String {
        let text = listener.address?.readable ?? "?"
        return switch listener.transport {
        case .local: "unix:\(text)"
        case .tcp: listener.security == .none ? text : text + " (TLS)"
        case .udp: "udp:\(text)"
        }
    }

    // MARK: From any thread

    func requestStop(_ reason: StopReason) {
        _ = stopReason.compareExchange(
            expected: StopReason.none.rawValue, desired: reason.rawValue, ordering: .relaxed)
        wakeMain()
    }

    func wakeMain() { wakeUp.ring() }

    var isStopping: Bool { stopReason.load(ordering: .relaxed) != StopReason.none.rawValue }

    /// The second of the store's clock.
    var now: UInt32 { housekeeping.now.rawValue }

    // MARK: On the main thread

    fileprivate func readOrders() {
        wakeUp.answer()
        journal?.welcome()
        if isStopping { loop.stop() }
    }

    fileprivate func readSignals() {
        while let signal = signals?.next() {
            switch signal {
            case .stop: requestStop(.normal)
            case .stopGracefully: requestStop(.graceful)
            case .reload: reload()
            }
        }
    }
}

private let mainRung: EventCallback = { _, _, argument in
    Unmanaged<Server>.fromOpaque(argument!).takeUnretainedValue().readOrders()
}
private let beatDue: EventCallback = { _, _, argument in
    Unmanaged<Server>.fromOpaque(argument!).takeUnretainedValue().beat()
}
private let signalCame: EventCallback = { _, _, argument in
    Unmanaged<Server>.fromOpaque(argument!).takeUnretainedValue().readSignals()
}
