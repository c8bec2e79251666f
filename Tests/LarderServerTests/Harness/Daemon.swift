// A daemon started for one test, on ports of its own choosing, with everything it leaves in a temporary
// folder.
import Foundation
import Testing

final class Daemon {
    let process: ChildProcess
    let folder: TemporaryFolder
    /// Ports as the daemon itself reported them, in its order.
    private(set) var ports: [(family: String, port: Int)] = []

    enum Kind { case larder, oracle }

    /// Starts a daemon and returns when it has told its ports. With `listens` false no `-p` is added.
    init(
        _ options: [String] = [], kind: Kind = .larder, program: String? = nil,
        folder: TemporaryFolder? = nil,
        picksPort: Bool = true,
        environment: [String: String] = [:], descriptors: [Int32] = [], waitsForPorts: Bool = true
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        let name = kind == .larder ? "larder" : "oracle"
        var program = program ?? Surroundings.daemon
        if kind == .oracle {
            try Surroundings.require(Surroundings.oracle != nil, "memcached (the oracle)")
            program = Surroundings.oracle!
        }
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw Trouble("no daemon at \(program)")
        }
        var arguments = picksPort ? ["-p", "-1"] : []
        // memcached would listen on every interface.
        if kind == .oracle && !options.contains("-l") { arguments += ["-l", "127.0.0.1"] }
        if Surroundings.runsAsRoot && !options.contains("-u") { arguments += ["-u", "root"] }
        // A sanitizer makes system calls of its own.
        if kind == .larder, Surroundings.sanitizer != nil { arguments += ["-o", "no_drop_privileges"] }
        let portFile = folder.path(name + ".ports")
        try? FileManager.default.removeItem(atPath: portFile)
        var surroundings = environment
        surroundings["MEMCACHED_PORT_FILENAME"] = portFile
        if kind == .larder, Surroundings.sanitizer == "address" {
            surroundings["ASAN_OPTIONS"] = "detect_leaks=0"
        }
        process = try ChildProcess(
            program, arguments + options, folder: folder, name: name, environment: surroundings,
            descriptors: descriptors)
        self.folder = folder
        if waitsForPorts {
            let process = self.process
            var text = ""
            try wait(for: "\(name) to tell its ports") {
                if let ending = process.hasEnded {
                    throw Trouble("\(name) \(options) ended at once: \(ending); it said: \(process.errors)")
                }
                text = (try? String(contentsOfFile: portFile, encoding: .utf8)) ?? ""
                return text.hasSuffix("\n")
            }
            ports = Self.parse(text)
        }
    }

    /// `TCP INET: 1234` → ("TCP INET", 1234)
    static func parse(_ text: String) -> [(family: String, port: Int)] {
        text.split(separator: "\n").compactMap { line in
            let halves = line.split(separator: ":")
            guard halves.count == 2, let port = Int(halves[1].drop { $0 == " " }) else { return nil }
            return (String(halves[0]), port)
        }
    }

    var port: Int { ports.first { $0.family == "TCP INET" }?.port ?? ports.first?.port ?? 0 }

    func connect(receiveBuffer: Int? = nil) throws -> Wire { try .tcp(port, receiveBuffer: receiveBuffer) }

    /// What all clients send lies in their sockets before the daemon sees any of it.
    func seesAtOnce(_ body: () throws -> Void) rethrows {
        process.signal(SIGSTOP)
        defer { process.signal(SIGCONT) }
        try body()
    }

    // MARK: what the kernel says about it

    private func status(_ name: String) -> Int {
        let text = (try? String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)) ?? ""
        let row = text.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
        return row.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
            ?? 0
    }

    var residentBytes: Int { status("VmRSS") << 10 }

    /// `residentBytes` once housekeeping no longer asks for memory ahead of a store that grew.
    func settledResidentBytes() throws -> Int {
        // A sanitizer's own memory grows all the time, and nobody judges it.
        if Surroundings.sanitizer != nil { return residentBytes }
        var last = residentBytes
        var since = Clock.now
        try wait(for: "memory to settle") {
            if residentBytes != last { (last, since) = (residentBytes, Clock.now) }
            return Clock.now - since > 0.4
        }
        return last
    }
    /// Whether Swift's library is part of the program, as it is of the one that is shipped.
    var isStatic: Bool {
        let maps = (try? String(contentsOfFile: "/proc/\(process.pid)/maps", encoding: .utf8)) ?? ""
        return !maps.contains("libswiftCore")
    }
    /// The most it ever was.
    var peakResidentBytes: Int { status("VmHWM") << 10 }

    /// What of it is the process's own: without code and libraries, which are shared and depend on the build.
    var ownBytes: Int { (status("RssAnon") + status("RssShmem")) << 10 }
    var userID: Int { status("Uid") }

    /// Processor time of all its threads.
    var processorSeconds: Double {
        let text = (try? String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12 else { return 0 }
        return fields[11...12].reduce(0) { $0 + (Double($1) ?? 0) } / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    var openDescriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/fd").count) ?? 0
    }

    /// Sets what the kernel gives it of `resource`, as prlimit calls it.
    func limit(_ resource: String, to amount: String) throws {
        let program = Surroundings.find("prlimit")
        try Surroundings.require(program != nil, "prlimit")
        let set = try ChildProcess.run(program!, ["--pid", "\(process.pid)", "--\(resource)=\(amount):"])
        guard set.ending == .exited(0) else { throw Trouble(set.errors) }
    }

    // MARK: the end

    /// Asks it to stop, and expects it to have gone well: exit status 0 and no word from a sanitizer.
    func stop(_ signal: Int32 = SIGTERM, sourceLocation: SourceLocation = #_sourceLocation) throws {
        process.signal(signal)
        let ending = try process.waitForEnd()
        #expect(ending == .exited(0), "\(process.errors.suffix(2000))", sourceLocation: sourceLocation)
        expectNoReport(sourceLocation: sourceLocation)
    }

    func expectNoReport(sourceLocation: SourceLocation = #_sourceLocation) {
        let errors = process.errors
        let mark =
            errors.range(of: "ThreadSanitizer") ?? errors.range(of: "AddressSanitizer")
            ?? errors.range(of: "Fatal error") ?? errors.range(of: "runtime error:")
        if let mark {
            let report = errors[mark.lowerBound...].prefix(6000)
            Issue.record("the daemon's standard error: \(report)", sourceLocation: sourceLocation)
        }
    }
}

/// A daemon for the length of `body`, stopped afterwards and expected to stop well.
func withDaemon(
    _ options: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: (Daemon) throws -> Void
) throws {
    let daemon = try Daemon(options)
    do {
        try body(daemon)
    } catch {
        if let ending = daemon.process.hasEnded {
            Issue.record(
                "the daemon ended by itself: \(ending)\n\(daemon.process.errors.suffix(4000))",
                sourceLocation: sourceLocation)
        }
        daemon.expectNoReport(sourceLocation: sourceLocation)
        throw error
    }
    try daemon.stop(sourceLocation: sourceLocation)
}
