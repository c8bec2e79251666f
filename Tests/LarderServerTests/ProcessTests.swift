// The edges of the process without a process: notices to a service manager, sockets it hands over, lines of
// the log, pid files.
import Glibc
import Testing

@testable import LarderServer

/// A datagram socket at `name`, as a service manager has it.
private func receiver(_ name: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = try #require(UnixAddress(name))
    var failed: Int32 = -1
    address.withSockaddr { failed = bind(descriptor, $0, $1) }
    try #require(failed == 0)
    return descriptor
}

private func message(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}

/// What `body` writes to a pipe.
private func written(_ body: (Int32) -> Void) -> String {
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    body(ends[1])
    close(ends[1])
    defer { close(ends[0]) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = read(ends[0], &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}

@Suite struct ProcessTests {
    @Test func noticesReachAbstractSockets() throws {
        let name = "@larder-test-\(getpid())"
        let manager = try receiver(name)
        defer { close(manager) }
        let notifier = ServiceNotifier(environment: ["NOTIFY_SOCKET": name])
        #expect(notifier.isListening)
        notifier.ready(status: "fine")
        #expect(message(manager) == "READY=1\nSTATUS=fine")
        notifier.reloading()
        #expect(message(manager).hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        notifier.watchdog()
        #expect(message(manager) == "WATCHDOG=1")
        notifier.stopping(status: "bye")
        #expect(message(manager) == "STOPPING=1\nSTATUS=bye")
    }

    @Test func nobodyToNotify() {
        for value in ["", "relative", String(repeating: "/x", count: 200), "/nonexistent/socket"] {
            ServiceNotifier(environment: ["NOTIFY_SOCKET": value]).ready(status: "fine")
        }
        #expect(!ServiceNotifier(environment: [:]).isListening)
        #expect(ServiceNotifier.watchdogInterval(environment: [:]) == nil)
        #expect(ServiceNotifier.watchdogInterval(environment: ["WATCHDOG_USEC": "3000000"]) == 1.5)
        let other = ["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"]
        #expect(ServiceNotifier.watchdogInterval(environment: other) == nil)
    }

    @Test func socketsHandedOver() throws {
        let stream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(stream) }
        try #require(listen(stream, 1) == 0)
        let mine = ["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "1"]
        let taken = InheritedSocket.take(environment: mine, firstDescriptor: stream)
        #expect(taken.sockets == [InheritedSocket(descriptor: stream, isDatagram: false, isUnix: false)])
        #expect(fcntl(stream, F_GETFD) & FD_CLOEXEC != 0)
        let null = open("/dev/null", O_RDONLY)
        defer { close(null) }
        let wrong = InheritedSocket.take(environment: mine, firstDescriptor: null)
        #expect(wrong.sockets.isEmpty && wrong.faults.count == 1)
        // A client's own connection, as a unit with Accept=yes hands it over.
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(client) }
        let deaf = InheritedSocket.take(environment: mine, firstDescriptor: client)
        #expect(deaf.sockets.isEmpty && deaf.faults.count == 1)
        for environment in [
            [:], ["LISTEN_PID": "1", "LISTEN_FDS": "1"], ["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "-1"],
            ["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "x"], ["LISTEN_FDS": "1"],
        ] {
            let none = InheritedSocket.take(environment: environment, firstDescriptor: stream)
            #expect(none.sockets.isEmpty && none.faults.isEmpty)
        }
    }

    @Test func linesOfTheLog() {
        let journal = written { Log(verbosity: 1, descriptor: $0, isJournal: true).warning("a\nb\u{1B}") }
        #expect(journal == "<4>a\\x0ab\\x1b\n")
        let terminal = written { Log(verbosity: 1, descriptor: $0, isJournal: false).error("text") }
        let shape = "2026-01-31T12:00:00.123Z error text\n"
        #expect(terminal.hasSuffix("Z error text\n") && terminal.utf8.count == shape.utf8.count)
        #expect(written { Log(verbosity: 0, descriptor: $0, isJournal: true).info("quiet") }.isEmpty)
        #expect(written { Log(verbosity: 1, descriptor: $0, isJournal: true).debug("quiet") }.isEmpty)
        #expect(written { Log(verbosity: 2, descriptor: $0, isJournal: true).debug("seen") } == "<7>seen\n")
        let long = written {
            Log(verbosity: 0, descriptor: $0, isJournal: true).error(String(repeating: "x", count: 9999))
        }
        #expect(long.utf8.count < Log.longestLine + 20 && long.hasSuffix(" ...\n"))
    }

    @Test func pidFiles() {
        var template = Array("/tmp/larder-test-XXXXXX".utf8CString)
        close(mkstemp(&template))
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        #expect(ProcessLife.pid(in: path) == nil)
        var settings = Settings()
        settings.pidFile = path
        settings.verbosity = 0
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        let log = Log(verbosity: 0, descriptor: ends[1], isJournal: true)
        let life = ProcessLife(settings: settings, log: log, notifier: ServiceNotifier(environment: [:]))
        life.ready(listening: ["127.0.0.1:1"])
        #expect(ProcessLife.pid(in: path) == getpid())
        life.stopping(reason: "test")
        life.ended()
        #expect(access(path, F_OK) != 0)
        close(ends[1])
        var bytes = [UInt8](repeating: 0, count: 1000)
        let count = read(ends[0], &bytes, bytes.count)
        let line = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        close(ends[0])
        for part in ["listens on 127.0.0.1:1", "64 MiB", "machine only"] { #expect(line.contains(part)) }
    }
}
