// `larder top` as a program: in a script, on a terminal, with a daemon that goes and comes back.
import Foundation
import Testing

@Suite struct TopTests {
    private func batch(_ arguments: [String]) throws -> (ending: ChildProcess.Ending, lines: [String]) {
        let said = try ChildProcess.run(
            Surroundings.daemon, ["top", "-b", "-n1", "-d0.2"] + arguments, environment: ["COLUMNS": "120"])
        #expect(said.errors == "")
        #expect(!said.output.contains("\u{1B}"))
        return (said.ending, said.output.components(separatedBy: "\n"))
    }

    @Test(arguments: [Daemon.Kind.larder, .oracle]) func aBatchShowsWhatHappens(_ kind: Daemon.Kind) throws
    {
        let daemon = try Daemon(kind: kind)
        let wire = try daemon.connect()
        try wire.ask("set a 0 0 3\r\nabc\r\n", "STORED\r\n")
        let place = "127.0.0.1:\(daemon.port)"
        let (ending, lines) = try batch([place])
        #expect(ending == .exited(0))
        #expect(lines[1].hasPrefix("DAEMON"))
        #expect(
            lines[2].split(separator: " ").starts(with: [place[...], "0", "0", "-", "0", "1"]), "\(lines)")
        let name = kind == .larder ? "Larder " : "memcached 1."
        #expect(lines.contains { $0.hasPrefix("\(place)  \(name)") }, "\(lines)")

        let classes = try batch([place, "-w", "classes", "-s", "items"]).lines
        #expect(classes[1].hasPrefix("CLASS") && classes[2].split(separator: " ")[2] == "1", "\(classes)")
        let clients = try batch([place, "--view=clients"]).lines
        #expect(clients.contains { $0.hasPrefix("tcp:127.0.0.1:") && $0.contains(place) }, "\(clients)")
        #expect(clients.contains { $0.hasPrefix(" 2 clients") }, "\(clients)")
    }

    @Test func ratesAreThoseOfTheTraffic() throws {
        try withDaemon { daemon in
            let place = "127.0.0.1:\(daemon.port)", folder = try TemporaryFolder()
            let top = try ChildProcess(
                Surroundings.daemon, ["top", "-b", "-n1", "-d1", place], folder: folder)
            let wire = try daemon.connect()
            // Its first look opens a connection; what is counted from then on is a rate.
            try wait(for: "the first look") {
                Int(try wire.stats()["total_connections"] ?? "0") ?? 0 >= 2
            }
            usleep(100_000)
            for _ in 0..<30 { try wire.ask("get none\r\n", "END\r\n") }
            #expect(try top.waitForEnd() == .exited(0))
            let row = top.output.components(separatedBy: "\n")[2].split(separator: " ")
            let gets = try #require(Double(row[1]))
            #expect(gets > 10 && gets <= 31, "\(row)")
            #expect(row[3] == "0.0", "all of them missed: \(row)")
        }
    }

    @Test(arguments: [Daemon.Kind.larder, .oracle]) func aPasswordIsSaid(_ kind: Daemon.Kind) throws {
        let folder = try TemporaryFolder()
        try "ada:lovelace\nx:y\n".write(toFile: folder.path("users"), atomically: true, encoding: .utf8)
        chmod(folder.path("users"), 0o600)
        let daemon = try Daemon(["-Y", folder.path("users")], kind: kind)
        let place = "127.0.0.1:\(daemon.port)"
        let (ending, lines) = try batch([place])
        #expect(ending == .exited(69) && lines[2].hasSuffix("down: wants a password (-Y)"), "\(lines)")
        #expect(try batch([place, "-Y", folder.path("users")]).ending == .exited(0))
    }

    @Test func unixSocketsAndWhatIsNoDaemon() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("socket")
        let daemon = try Daemon(["-s", path], folder: folder, picksPort: false, waitsForPorts: false)
        try wait(for: "the socket") { (try? Wire.unix(path)) != nil }
        #expect(try batch([path]).ending == .exited(0))
        try daemon.stop()
        let (ending, lines) = try batch([path, "127.0.0.1:\(try ListenerTests.freePort())"])
        #expect(ending == .exited(69))
        #expect(lines.filter { $0.contains(" down: ") && !$0.contains(" is ") }.count == 2, "\(lines)")
        #expect(try ChildProcess.run(Surroundings.daemon, ["top", "-d", "x"]).ending == .exited(64))
    }

    // MARK: A terminal

    /// `larder top` on a terminal of 80 by 24.
    private final class OnTerminal {
        let terminal: Int32
        let side: Int32
        let process: ChildProcess
        private(set) var output = ""

        init(_ arguments: [String]) throws {
            // posix_openpt and its fellows aren't in Foundation; this is what they do.
            let unlock: UInt = 0x4004_5431, askNumber: UInt = 0x8004_5430
            var locked: Int32 = 0, number: Int32 = 0
            terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            guard terminal >= 0, ioctl(terminal, unlock, &locked) == 0,
                ioctl(terminal, askNumber, &number) == 0
            else { throw Trouble("no terminal to be had") }
            side = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
            var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
            _ = ioctl(side, UInt(TIOCSWINSZ), &size)
            process = try ChildProcess(
                "/bin/sh", ["-c", "exec \"$0\" top \"$@\" <&3 >&3", Surroundings.daemon] + arguments,
                folder: try TemporaryFolder(), environment: ["TERM": "xterm", "LC_ALL": "C.UTF-8"],
                descriptors: [side])
        }

        deinit {
            close(side)
            close(terminal)
        }

        var isRaw: Bool {
            var attributes = termios()
            tcgetattr(side, &attributes)
            return attributes.c_lflag & tcflag_t(ICANON | ECHO) == 0
        }

        func press(_ keys: String) {
            _ = Array(keys.utf8).withUnsafeBytes { write(terminal, $0.baseAddress!, $0.count) }
        }

        /// Reads until what was shown since the last call contains `text`.
        func expect(_ text: String) throws {
            try wait(for: "\"\(text)\" on the screen: \(printable(output.utf8.suffix(3000)))") {
                var ready = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
                if poll(&ready, 1, 50) > 0 {
                    var bytes = [UInt8](repeating: 0, count: 65536)
                    let count = read(terminal, &bytes, bytes.count)
                    if count > 0 { output += String(decoding: bytes[..<count], as: UTF8.self) }
                }
                return output.contains(text)
            }
            output = ""
        }
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP, 0]) func theTerminalIsPutBack(_ ending: Int32) throws {
        try withDaemon { daemon in
            let top = try OnTerminal(["-d0.2", "127.0.0.1:\(daemon.port)"])
            try top.expect("Larder ")
            #expect(top.isRaw)
            if ending == 0 { top.press("q") } else { top.process.signal(ending) }
            // Cursor, wrapping and the first screen are back.
            try top.expect("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
            let expected = [SIGTERM: 143, SIGHUP: 129][ending] ?? 0
            #expect(try top.process.waitForEnd() == .exited(Int32(expected)))
            #expect(!top.isRaw)
        }
    }

    @Test func keysAndResizing() throws {
        try withDaemon { daemon in
            try daemon.connect().ask("set a 0 0 3\r\nabc\r\n", "STORED\r\n")
            let top = try OnTerminal(["-d0.2", "127.0.0.1:\(daemon.port)"])
            try top.expect("Larder ")
            top.press("\t")
            try top.expect("SLACK%")
            top.press("\u{1B}[C")
            try top.expect("CLIENT")
            top.press("h")
            try top.expect("any key goes back")
            top.press("x")
            var size = winsize(ws_row: 10, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0)
            _ = ioctl(top.side, UInt(TIOCSWINSZ), &size)
            // The terminal is not the process's own, so it is told by hand.
            top.process.signal(SIGWINCH)
            try top.expect("\u{1B}[0;2mspace stop")
            top.press("q")
            #expect(try top.process.waitForEnd() == .exited(0))
        }
    }

    /// A look that fails at once is a look.
    @Test func aCountEndsItWhereNobodyAnswers() throws {
        let folder = try TemporaryFolder()
        let top = try OnTerminal(["-d0.2", "-n2", folder.path("nobody")])
        try top.expect(" is down")
        #expect(try top.process.waitForEnd() == .exited(0))
    }

    @Test func aDaemonGoesAndComesBack() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("socket")
        func start() throws -> Daemon {
            try Daemon(["-s", path], folder: folder, picksPort: false, waitsForPorts: false)
        }
        let first = try start()
        let top = try OnTerminal(["-d0.2", path])
        try top.expect("Larder ")
        first.process.signal(SIGKILL)
        _ = try first.process.waitForEnd()
        try top.expect(" is down")
        let second = try start()
        try top.expect("Larder ")
        // One that hangs is down too, and is back as soon as it answers.
        second.process.signal(SIGSTOP)
        try top.expect("no answer")
        second.process.signal(SIGCONT)
        try top.expect("Larder ")
        top.press("q")
        #expect(try top.process.waitForEnd() == .exited(0))
        try second.stop()
    }
}
