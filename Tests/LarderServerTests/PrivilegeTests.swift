// What the daemon can still do once it serves: as whom, with which capabilities, with which system calls; and
// that everything it has to do still works.
import CSystem
import Foundation
import Testing

@testable import LarderServer

@Suite struct PrivilegeTests {
    /// The fields of /proc/PID/status, of every thread.
    private func statuses(_ pid: pid_t) throws -> [[String: String]] {
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")
        return try threads.map { thread in
            let text = try String(contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)
            var fields: [String: String] = [:]
            for row in text.split(separator: "\n") {
                let halves = row.split(separator: ":", maxSplits: 1)
                fields[String(halves[0])] = halves.count > 1
                    ? halves[1].trimmingCharacters(in: .whitespaces) : ""
            }
            return fields
        }
    }

    private static let users = Surroundings.runsAsRoot ? ["nobody", "root"] : [NSUserName()]

    @Test(arguments: users) func nothingIsKept(_ user: String) throws {
        let folder = try TemporaryFolder()
        chmod(folder.root, 0o777)
        let daemon = try Daemon(["-u", user, "-t", "3"], folder: folder)
        try daemon.connect().ask("mn\r\n", "MN\r\n")
        let threads = try statuses(daemon.process.pid)
        #expect(threads.count >= 5)
        for thread in threads {
            let none = String(repeating: "0", count: 16)
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] { #expect(thread[set] == none, "\(set)") }
            if Surroundings.runsAsRoot {
                #expect(thread["CapBnd"] == none)
                #expect(thread["Groups"] == "")
            }
            #expect(thread["NoNewPrivs"] == "1")
            #expect(thread["Seccomp"] == (Surroundings.sanitizer == nil ? "2" : "0"))
        }
        let id = getpwnam(user).pointee
        #expect(Set(threads.compactMap { $0["Uid"] }) == [Self.fourTimes(id.pw_uid)])
        if Surroundings.runsAsRoot {
            #expect(Set(threads.compactMap { $0["Gid"] }) == [Self.fourTimes(id.pw_gid)])
        }
        try daemon.stop()
    }

    private static func fourTimes(_ number: UInt32) -> String {
        [String](repeating: "\(number)", count: 4).joined(separator: "\t")
    }

    @Test func theFilterCanBeLeftOut() throws {
        let daemon = try Daemon(["-o", "no_drop_privileges"])
        try daemon.connect().ask("mn\r\n", "MN\r\n")
        #expect(try statuses(daemon.process.pid).allSatisfy { $0["Seccomp"] == "0" })
        #expect(try daemon.connect().stats("settings")["drop_privileges"] == "no")
        try daemon.stop()
    }

    /// The program itself, run as the kernel runs it.
    @Test func whatTheFilterSays() {
        func says(_ call: Int32, _ arguments: [UInt64] = []) -> SystemCallFilter.Verdict? {
            FilterMachine.run(SystemCallFilter.program, call: UInt32(call), arguments)
        }
        let read = UInt64(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_DIRECTORY)
        let anonymous = UInt64(PROT_READ | PROT_WRITE)
        #expect(says(SYS_read) == .allowed && says(SYS_exit_group) == .allowed)
        #expect(says(SYS_openat, [0, 0, read]) == .allowed)
        #expect(says(SYS_mmap, [0, 0, anonymous]) == .allowed)
        #expect(says(SYS_socket, [UInt64(AF_UNIX)]) == .allowed)
        #expect(says(SYS_tgkill, [UInt64(getpid())]) == .allowed)
        let unnamed: Int32 = 0o20200000
        for flags in [O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_RDWR | O_CREAT, unnamed | O_RDWR] {
            #expect(says(SYS_openat, [0, 0, UInt64(flags)]) == .refused, "open with \(flags)")
        }
        for family in [AF_INET, AF_INET6, AF_NETLINK, AF_PACKET] {
            #expect(says(SYS_socket, [UInt64(family)]) == .refused)
        }
        #expect(says(SYS_mmap, [0, 0, anonymous | UInt64(PROT_EXEC)]) == .refused)
        #expect(says(SYS_mprotect, [0, 0, UInt64(PROT_READ | PROT_EXEC)]) == .refused)
        #expect(says(SYS_tgkill, [1]) == .refused && says(SYS_ioctl, [0, 0x5412]) == .refused)
        for call in [
            SYS_connect, SYS_bind, SYS_clone, SYS_clone3, SYS_kill, SYS_renameat2, SYS_mkdirat, SYS_fchmod,
            SYS_setuid, SYS_prctl, SYS_mount, SYS_bpf, SYS_io_uring_setup, SYS_userfaultfd, SYS_keyctl,
            SYS_personality, SYS_setrlimit, SYS_memfd_create, SYS_truncate, SYS_symlinkat,
        ] { #expect(says(call) == .refused, "\(call)") }
        for call in [SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_writev] {
            #expect(says(call) == .deadly, "\(call)")
        }
        // Calls of another architecture have the same numbers and other meanings.
        let foreign = FilterMachine.run(SystemCallFilter.program, call: 0, [], architecture: 0x4000_0003)
        #expect(foreign == .deadly)
        #if arch(x86_64)
            #expect(says(SYS_read | 0x4000_0000) == .deadly)
        #endif
    }

    @Test func noCoreUnlessAsked() throws {
        func coreLimit(_ daemon: Daemon) throws -> String {
            try String(contentsOfFile: "/proc/\(daemon.process.pid)/limits", encoding: .utf8)
                .split(separator: "\n").first { $0.hasPrefix("Max core file size") }
                .map { $0.split(separator: " ")[4].description } ?? ""
        }
        let daemon = try Daemon()
        try daemon.connect().ask("mn\r\n", "MN\r\n")
        #expect(try coreLimit(daemon) == "0")
        // Files of a process that is not dumpable belong to root.
        var file = stat()
        stat("/proc/\(daemon.process.pid)/environ", &file)
        #expect(file.st_uid == 0)
        try daemon.stop()
    }

    /// Everything that opens, creates, removes or maps something while it serves.
    @Test func serviceGoesOnUnderTheFilter() throws {
        let folder = try TemporaryFolder()
        chmod(folder.root, 0o777)
        let users = folder.path("users"), socket = folder.path("socket"), pidFile = folder.path("pid")
        try "ann:one\n".write(toFile: users, atomically: true, encoding: .utf8)
        let user = Surroundings.runsAsRoot ? ["-u", "nobody"] : []
        let daemon = try Daemon(
            user + ["-s", socket, "-a", "0707", "-Y", users, "-P", pidFile, "-m", "8"], folder: folder,
            picksPort: false, waitsForPorts: false)
        try wait(for: "the pid file") { access(pidFile, F_OK) == 0 }
        var file = stat()
        stat(socket, &file)
        #expect(file.st_mode & 0o777 == 0o707)
        let wire = try Wire.unix(socket)
        try wire.ask("set a 0 0 7\r\nann one\r\n", "STORED\r\n")
        // Memory is taken, the limit raised, and taken again.
        let value = String(repeating: "x", count: 500_000)
        for i in 0..<40 {
            if i == 20 { try wire.ask("cache_memlimit 64\r\n", "OK\r\n") }
            try wire.ask("set k\(i) 0 0 500000\r\n\(value)\r\n", "STORED\r\n")
        }
        try wire.ask("get k39\r\n", "VALUE k39 0 500000\r\n\(value)\r\nEND\r\n")
        try "ann:two\n".write(toFile: users, atomically: true, encoding: .utf8)
        chmod(users, 0o644)
        daemon.process.signal(SIGHUP)
        try wait(for: "the reload") { daemon.process.errors.contains("1 entries, before it 1") }
        try Wire.unix(socket).ask("set a 0 0 7\r\nann two\r\n", "STORED\r\n")
        try daemon.stop()
        #expect(access(pidFile, F_OK) != 0 && access(socket, F_OK) != 0)
    }
}

/// Runs a filter's program over one call, as far as its few kinds of steps go; nil if it goes astray.
private enum FilterMachine {
    static func run(
        _ program: [SystemCallFilter.Step], call: UInt32, _ arguments: [UInt64],
        architecture: UInt32 = SystemCallFilter.architecture
    ) -> SystemCallFilter.Verdict? {
        var words = [call, architecture, 0, 0]
        for i in 0..<6 {
            let value = i < arguments.count ? arguments[i] : 0
            words += [UInt32(truncatingIfNeeded: value), UInt32(value >> 32)]
        }
        var accumulator: UInt32 = 0
        var place = 0
        while place < program.count {
            let step = program[place]
            place += 1
            switch step.code {
            case 0x20 where step.k % 4 == 0 && Int(step.k / 4) < words.count:
                accumulator = words[Int(step.k / 4)]
            case 0x54: accumulator &= step.k
            case 0x15: place += Int(accumulator == step.k ? step.jt : step.jf)
            case 0x35: place += Int(accumulator >= step.k ? step.jt : step.jf)
            case 0x06: return SystemCallFilter.Verdict(rawValue: step.k)
            default: return nil
            }
        }
        return nil
    }
}
