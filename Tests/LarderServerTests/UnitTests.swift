// The units in systemd/: systemd's own verdict on them, and the daemon run as they run it. systemd itself
// need not be there: the test is the service manager.
import Foundation
import Testing

@Suite struct UnitTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path + "/systemd/"
    private static let units = ["larder.service", "larder@.service", "larder.socket"]

    private static func text(_ unit: String) throws -> String {
        try String(contentsOfFile: folder + unit, encoding: .utf8)
    }

    /// The value of a unit's setting that stands there once.
    private static func setting(_ name: String, of unit: String) throws -> String {
        let row = try text(unit).split(separator: "\n").first { $0.hasPrefix(name + "=") }
        return row.map { String($0.dropFirst(name.count + 1)) } ?? ""
    }

    @Test func systemdFindsNoFault() throws {
        let verifier = Surroundings.find("systemd-analyze")
        try Surroundings.require(verifier != nil, "systemd-analyze")
        let folder = try TemporaryFolder()
        // The program the unit names is not installed here: have one at that path's place.
        for name in Self.units {
            let rows = try Self.text(name).split(separator: "\n", omittingEmptySubsequences: false)
            let changed = rows.map { row in
                guard row.hasPrefix("ExecStart=") else { return String(row) }
                let words = row.dropFirst("ExecStart=".count).split(separator: " ").dropFirst()
                return "ExecStart=/bin/true " + words.joined(separator: " ")
            }
            try changed.joined(separator: "\n").write(
                toFile: folder.path(name), atomically: true, encoding: .utf8)
        }
        let paths = ["larder.service", "larder@one.service", "larder.socket"].map { folder.path($0) }
        let said = try ChildProcess.run(verifier!, ["verify", "--man=no"] + paths)
        #expect(said.ending == .exited(0), "\(said.errors)")
        let complaints = said.errors.split(separator: "\n").filter {
            $0.contains(folder.root) || $0.contains("larder")
        }
        #expect(complaints.isEmpty, "\(said.errors)")
    }

    /// As locked in as systemd can count: 1.2 is what a service on the network comes to at best.
    @Test func exposureIsLow() throws {
        let verifier = Surroundings.find("systemd-analyze")
        try Surroundings.require(verifier != nil, "systemd-analyze")
        for unit in ["larder.service", "larder@.service"] {
            let said = try ChildProcess.run(
                verifier!, ["security", "--offline=true", "--threshold=12", Self.folder + unit])
            #expect(said.ending == .exited(0), "\(said.output.suffix(200))\(said.errors)")
        }
    }

    /// The instances' unit is the other with a name in a few places.
    @Test func instancesDifferInNameOnly() throws {
        let single = try Self.text("larder.service").split(separator: "\n").filter { !$0.hasPrefix("#") }
        let instance = try Self.text("larder@.service").split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.replacingOccurrences(of: "-%i", with: "").replacingOccurrences(of: " %i", with: "") }
        #expect(single.map(String.init) == instance)
    }

    /// ExecStart as it stands, with the options of an environment file split into words, as systemd does it.
    @Test func theUnitsCommandLineServes() throws {
        let folder = try TemporaryFolder()
        let notices = try NotifySocket(folder)
        let line = try Self.setting("ExecStart", of: "larder.service")
        #expect(line == "/usr/bin/larder $LARDER_OPTIONS")
        let options = "-m 32 -p -1" + (Surroundings.runsAsRoot ? " -u root" : "")
        let words = line.split(separator: " ").flatMap {
            $0 == "$LARDER_OPTIONS" ? options.split(separator: " ") : [$0]
        }
        let process = try ChildProcess(
            Surroundings.daemon, words.dropFirst().map(String.init), folder: folder, name: "larder",
            environment: [
                "NOTIFY_SOCKET": notices.path, "MEMCACHED_PORT_FILENAME": folder.path("ports"),
            ])
        #expect(try notices.notice().contains("READY=1"))
        let ports = try String(contentsOfFile: folder.path("ports"), encoding: .utf8)
        let wire = try Wire.tcp(Daemon.parse(ports)[0].port)
        try wire.ask("mn\r\n", "MN\r\n")
        // ExecReload's signal, then the one systemd stops with.
        process.signal(SIGHUP)
        #expect(try notices.notice().contains("RELOADING=1"))
        #expect(try notices.notice().contains("READY=1"))
        process.signal(SIGTERM)
        #expect(try notices.notice().contains("STOPPING=1"))
        #expect(try process.waitForEnd() == .exited(0))
    }

    /// Pings come while every thread answers. A worker that is held (as a debugger holds it) is noticed: no
    /// more pings, a line in the log; let go again, it pings on.
    @Test func aHungWorkerGetsNoPings() throws {
        let python = Surroundings.find("python3")
        try Surroundings.require(python != nil && Surroundings.runsAsRoot, "python3, with root's rights,")
        let folder = try TemporaryFolder()
        let notices = try NotifySocket(folder)
        let daemon = try Daemon(
            ["-t", "2"], folder: folder,
            environment: ["NOTIFY_SOCKET": notices.path, "WATCHDOG_USEC": "800000"])
        #expect(try notices.notice().contains("READY=1"))
        for _ in 0..<3 { #expect(try notices.notice() == "WATCHDOG=1") }
        let tasks = "/proc/\(daemon.process.pid)/task"
        let worker = try FileManager.default.contentsOfDirectory(atPath: tasks).first {
            try String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8).hasPrefix("larder-w1")
        }
        let holder = try ChildProcess(
            python!, ["-c", Self.holdThread, worker ?? "none", folder.path("held"), folder.path("letgo")],
            folder: folder, name: "holder")
        try wait(for: "the thread to be held") {
            if holder.hasEnded != nil { throw Trouble("can't hold a thread: \(holder.errors)") }
            return FileManager.default.fileExists(atPath: folder.path("held"))
        }
        try wait(for: "the log to name it") { daemon.process.errors.contains("no answer from worker 1") }
        notices.forget()
        #expect(!notices.hasNotice(within: 1.6))
        _ = FileManager.default.createFile(atPath: folder.path("letgo"), contents: nil)
        #expect(try holder.waitForEnd() == .exited(0))
        #expect(try notices.notice() == "WATCHDOG=1")
        try daemon.stop()
    }

    /// Stops one thread of another process by ptrace until a file appears.
    private static let holdThread = """
        import ctypes, os, sys, time
        thread, held, letgo = int(sys.argv[1]), sys.argv[2], sys.argv[3]
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        seize, interrupt, detach = 0x4206, 0x4207, 17
        for request in (seize, interrupt):
            if libc.ptrace(request, thread, None, None) != 0:
                sys.exit("ptrace: " + os.strerror(ctypes.get_errno()))
        os.waitpid(thread, 0x40000000)
        open(held, "w").close()
        while not os.path.exists(letgo): time.sleep(0.01)
        libc.ptrace(detach, thread, None, None)
        """

    /// The socket is the service manager's: daemons come and go behind it, and no client is refused.
    @Test func aRestartRefusesNoConnection() throws {
        let folder = try TemporaryFolder()
        let socket = try BoundSocket()
        let user = Surroundings.runsAsRoot ? ["-u", "root"] : []
        let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\""
        var answered = 0
        for round in 0..<4 {
            let process = try ChildProcess(
                "/bin/sh", ["-c", script, "sh", Surroundings.daemon] + user, folder: folder,
                name: "larder\(round)", descriptors: [socket.descriptor])
            // `tcp` throws when it is refused.
            for _ in 0..<50 {
                try Wire.tcp(socket.port).ask("mn\r\n", "MN\r\n")
                answered += 1
            }
            process.signal(SIGTERM)
            // Not more than the socket's queue holds: nobody empties it now.
            for _ in 0..<30 { _ = try Wire.tcp(socket.port) }
            #expect(try process.waitForEnd() == .exited(0), "\(process.errors)")
        }
        #expect(answered == 200)
    }
}
