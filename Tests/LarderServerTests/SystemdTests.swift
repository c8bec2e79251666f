// Running under systemd: the notices it waits for, sockets it passes, the unit files it reads.
import Foundation
import Testing

@Suite struct SystemdTests {
    @Test func tellsWhenItIsReadyAndWhenItStops() throws {
        let folder = try TemporaryFolder()
        let socket = try NotifySocket(folder)
        let daemon = try Daemon(
            folder: folder, environment: ["NOTIFY_SOCKET": socket.path], waitsForPorts: false)
        #expect(try socket.notice().split(separator: "\n").contains("READY=1"))
        // Ready means ready: the port answers at once.
        let text = try String(contentsOfFile: folder.path("larder.ports"), encoding: .utf8)
        try Wire.tcp(Daemon.parse(text)[0].port).ask("mn\r\n", "MN\r\n")
        daemon.process.signal(SIGTERM)
        #expect(try socket.notice().split(separator: "\n").contains("STOPPING=1"))
        #expect(try daemon.process.waitForEnd() == .exited(0))
    }

    /// systemd (Type=notify-reload) takes the reload for done at the READY that follows.
    @Test func saysWhenItReadsAgain() throws {
        let folder = try TemporaryFolder()
        let socket = try NotifySocket(folder)
        let daemon = try Daemon(folder: folder, environment: ["NOTIFY_SOCKET": socket.path])
        #expect(try socket.notice().split(separator: "\n").contains("READY=1"))
        for _ in 0..<2 {
            let before = UInt64(Clock.now * 1e6)
            daemon.process.signal(SIGHUP)
            let rows = try socket.notice().split(separator: "\n")
            #expect(rows.first == "RELOADING=1")
            let moment = rows.last.flatMap { UInt64($0.dropFirst("MONOTONIC_USEC=".count)) } ?? 0
            #expect(moment + 1 >= before && moment <= UInt64(Clock.now * 1e6))
            #expect(try socket.notice() == "READY=1")
        }
        try daemon.connect().ask("mn\r\n", "MN\r\n")
        try daemon.stop()
    }

    /// An address that starts with @ is an abstract one.
    @Test func anUnreachableNotifySocketIsNoReasonToFail() throws {
        let daemon = try Daemon(environment: ["NOTIFY_SOCKET": "/nonexistent/notify"])
        try daemon.connect().ask("mn\r\n", "MN\r\n")
        try daemon.stop()
    }

    /// LISTEN_PID must be the daemon's own pid, so a shell that becomes the daemon sets it.
    @Test func takesTheSocketItIsGiven() throws {
        let folder = try TemporaryFolder()
        let socket = try BoundSocket()
        let user = Surroundings.runsAsRoot ? ["-u", "root"] : []
        let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\""
        let process = try ChildProcess(
            "/bin/sh", ["-c", script, "sh", Surroundings.daemon] + user, folder: folder, name: "larder",
            descriptors: [socket.descriptor])
        // Connections wait in the socket's queue from before the daemon has started.
        let wire = try Wire.tcp(socket.port)
        try wire.ask("set a 0 0 1\r\nx\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
        let others = try (0..<20).map { _ in try Wire.tcp(socket.port) }
        for other in others { try other.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n") }
        process.signal(SIGTERM)
        #expect(try process.waitForEnd() == .exited(0), "\(process.errors)")
    }

    /// Variables meant for another process are none of its business.
    @Test func ignoresSocketsMeantForOthers() throws {
        let daemon = try Daemon(environment: ["LISTEN_PID": "1", "LISTEN_FDS": "1"])
        try daemon.connect().ask("mn\r\n", "MN\r\n")
        try daemon.stop()
    }
}
