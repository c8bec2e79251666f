// What the server says about itself to `stats` and the admin commands, and what workers tell it about
// connections.
import Glibc
import LarderProtocol
import LarderStore
import Synchronization

extension Server: ServerFacts {
    public func settingRows() -> [(String, String)] { settings.settingRows() }

    public func serverFigures() -> ServerFigures {
        var figures = ServerFigures()
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        figures.pid = Int(getpid())
        figures.uptimeSeconds = (monotonicMicroseconds() - startMicroseconds) / 1_000_000
        figures.unixTime = UInt64(time(nil))
        figures.version = SessionOptions().version
        figures.larderVersion = Version.larder
        figures.libeventVersion = EventLoop.version()
        figures.userMicroseconds = Self.microseconds(usage.ru_utime)
        figures.systemMicroseconds = Self.microseconds(usage.ru_stime)
        figures.maxConnections = settings.maxConnections
        figures.currentConnections = tally.current.load(ordering: .relaxed)
        figures.totalConnections = tally.total.load(ordering: .relaxed)
        figures.rejectedConnections = tally.rejected.load(ordering: .relaxed)
        figures.connectionStructures = figures.currentConnections + listeners.listeners.count
        figures.reservedDescriptors = ProcessSetup.reservedDescriptors(settings)
        figures.acceptingConnections = tally.isAccepting.load(ordering: .relaxed)
        figures.listenDisabledCount = tally.pauses.load(ordering: .relaxed)
        figures.listenDisabledMicroseconds = tally.pausedMicroseconds.load(ordering: .relaxed)
        figures.threads = settings.threads
        figures.tls = tls?.figures ?? TLSFigures()
        figures.startUnixTime = startUnixTime
        figures.residentBytes = residentMemory.bytes
        for mailbox in mailboxes { mailbox.latency.add(to: &figures.latency) }
        figures.idleKicks = tally.idleKicks.load(ordering: .relaxed)
        figures.replyBufferCount = UInt64(settings.threads)
        figures.readBufferCount = UInt64(settings.threads * 2)
        figures.readBufferBytes = UInt64(settings.threads * 2 * ReadAhead.capacity)
        if let journal {
            figures.logWorkerDropped = journal.recordsDropped
            figures.logWorkerWritten = journal.recordsWritten
            figures.logWatcherSkipped = journal.skipped.load(ordering: .relaxed)
            figures.logWatcherSent = journal.sent.load(ordering: .relaxed)
            figures.logWatchers = journal.watcherCount
        }
        return figures
    }

    private static func microseconds(_ time: timeval) -> UInt64 {
        UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_usec)
    }

    /// How many connections are in which state, in memcached's words.
    var connectionStates: [(name: String, count: Int)] {
        var counts = [Int](repeating: 0, count: Phase.allCases.count)
        for descriptor in 0...tally.highestDescriptor.load(ordering: .relaxed) {
            if let phase = table.entry(descriptor).phase { counts[Int(phase.rawValue) - 1] += 1 }
        }
        return Phase.allCases.map { ($0.name, counts[Int($0.rawValue) - 1]) }
    }

    public func connectionRows() -> [ConnectionRow] {
        let serving = Set(workers.map { $0.pointee.mailbox.serving.load(ordering: .relaxed) })
        let now = self.now
        var rows: [ConnectionRow] = []
        for descriptor in 0...tally.highestDescriptor.load(ordering: .relaxed) {
            let entry = table.entry(descriptor)
            guard let phase = entry.phase else { continue }
            let isDatagram = entry.transport == .udp
            var row = ConnectionRow()
            row.descriptor = Int(descriptor)
            if phase == .listening || isDatagram {
                row.address = SocketAddress.local(descriptor)?.row(isDatagram: isDatagram) ?? "<closed>"
            } else {
                row.address = SocketAddress.peer(descriptor)?.row(isDatagram: false) ?? "<closed>"
                row.listenAddress = SocketAddress.local(descriptor)?.row(isDatagram: false) ?? ""
            }
            row.state = serving.contains(descriptor) && phase == .reading ? "conn_parse_cmd" : phase.name
            // The clock may have moved on in another thread just before.
            row.secondsSinceLastCommand = now > entry.lastActivity ? UInt64(now - entry.lastActivity) : 0
            rows.append(row)
        }
        return rows
    }

    public func setMemoryLimit(megabytes: Int) -> Bool {
        let (bytes, overflow) = megabytes.multipliedReportingOverflow(by: 1 << 20)
        return !overflow && housekeeping.setMemoryLimit(bytes: bytes)
    }

    public func resetFigures() {
        tally.reset()
        tls?.reset()
        for mailbox in mailboxes { mailbox.latency.reset() }
    }

    // MARK: From workers

    func setVerbosity(_ level: Int) {
        log.verbosity = level
        // The journal begins or ends to log requests.
        wakeMain()
    }

    func connectionBegins(_ connection: ConnectionPointer) {
        note(connection) { "new \(connection.pointee.transport.name) client" }
        guard admin.log.mask & EventKind.connevents.rawValue != 0 else { return }
        record(.connectionNew, connection, connectionText(connection))
    }

    /// Before its descriptor is closed.
    func connectionEnds(_ connection: ConnectionPointer, _ reason: CloseReason) {
        tally.current.subtract(1, ordering: .relaxed)
        note(connection) { "closed (\(reason.rawValue))" }
        guard admin.log.mask & EventKind.connevents.rawValue != 0 else { return }
        record(.connectionClose, connection, "\(connectionText(connection)) reason=\(reason.rawValue)")
    }

    /// TLS went wrong; `reason` is only made for those who read it.
    func connectionFaults(_ connection: ConnectionPointer, _ reason: () -> String) {
        let isWatched = admin.log.mask & EventKind.connevents.rawValue != 0
        guard isWatched || log.verbosity >= 2 else { return }
        let text = reason()
        note(connection) { "TLS: \(text)" }
        if isWatched { record(.connectionTLSFault, connection, text) }
    }

    /// `refresh_certs`: the answer to it.
    func refreshCertificates() -> String {
        guard let tls else { return "ERROR\r\n" }
        do throws(TLSFault) {
            try tls.refresh()
            log.notice("refresh_certs: certificates: taken over")
            return "OK\r\n"
        } catch {
            log.error("refresh_certs: certificates: the old stays in use: \(error.text)")
            return "SERVER_ERROR the old certificates stay in use: \(error.text)\r\n"
        }
    }

    /// A line of the log at -vv, in its order among the requests': it goes the same way.
    private func note(_ connection: ConnectionPointer, _ text: () -> String) {
        if log.showsRequests { record(.connectionNote, connection, text()) }
    }

    private func record(_ line: EventLine, _ connection: ConnectionPointer, _ text: String) {
        let bytes = Array(text.utf8)
        connection.pointee.worker.pointee.ring.offer(
            line.record(descriptor: connection.descriptor), payload: bytes.span)
    }

    private func connectionText(_ connection: ConnectionPointer) -> String {
        let address = SocketAddress.peer(connection.descriptor)
        let transport = connection.pointee.transport
        return address?.eventText(transport) ?? "rip= rport=0 transport=\(transport.name)"
    }

    /// `watch`: the client leaves its worker for the journal; false (and the answer says so) if there are too
    /// many.
    func becomesWatcher(_ connection: ConnectionPointer, _ kinds: UInt32) -> Bool {
        let worker = connection.pointee.worker
        let descriptor = connection.descriptor
        connection.eventPointer.remove()
        let stream = connection.pointee.isSecured ? connection.tail.pointee.stream : nil
        // Before it is the main thread's, which may have closed the descriptor by the time `enroll` returns.
        connection.enter(.watching)
        guard let journal, journal.enroll(descriptor, kinds, stream) else {
            connection.enter(.reading)
            worker.pointee.reply.pointee.append("WATCHER_TOO_MANY log watcher limit reached\r\n")
            if connection.eventPointer.add() { return false }
            connection.close(.error)
            return true
        }
        if connection.pointee.isSecured { connection.tail.pointee.stream = nil }
        connection.release()
        return true
    }
}
