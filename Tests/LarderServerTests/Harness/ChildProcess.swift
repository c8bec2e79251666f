// A program run by a test: its output kept in files, ended by its own pid and by nothing else, always reaped.
import Foundation
import Synchronization

final class ChildProcess: Sendable {
    let pid: pid_t
    let outputPath: String
    let errorPath: String
    private let ending = Mutex<Ending?>(nil)

    enum Ending: Equatable, Sendable {
        case exited(Int32)
        case killed(Int32)
    }

    /// Starts `program`. `descriptors` become 3, 4, … in the child; nothing else is inherited.
    init(
        _ program: String, _ arguments: [String], folder: TemporaryFolder, name: String = "process",
        environment: [String: String] = [:], descriptors: [Int32] = []
    ) throws {
        outputPath = folder.path(name + ".out")
        errorPath = folder.path(name + ".err")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        for (index, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var surroundings = ProcessInfo.processInfo.environment
        for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"] { surroundings[name] = nil }
        surroundings.merge(environment) { $1 }
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = surroundings.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var pid: pid_t = 0
        var failure: Int32 = 0
        // A script just written is busy as long as another test's child, on its way to its own program, still
        // holds our descriptor of it.
        try wait(upTo: Surroundings.patience, for: "\(program) to be free to run") {
            failure = posix_spawn(&pid, program, &actions, &attributes, &argv, &envp)
            return failure != ETXTBSY
        }
        guard failure == 0 else {
            throw Trouble("can't start \(program): \(String(cString: strerror(failure)))")
        }
        self.pid = pid
    }

    deinit {
        if hasEnded == nil {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
        }
    }

    /// How it ended, or nil while it runs.
    var hasEnded: Ending? {
        ending.withLock { ending in
            if ending != nil { return ending }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7F
            ending = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal)
            return ending
        }
    }

    func waitForEnd(upTo seconds: Double = Surroundings.patience) throws -> Ending {
        try wait(upTo: seconds, for: "the end of process \(pid)") { hasEnded != nil }
        return hasEnded!
    }

    /// A signal to this one process, unless it is gone already.
    func signal(_ number: Int32) {
        if hasEnded == nil { kill(pid, number) }
    }

    var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
    var errors: String {
        let bytes = FileManager.default.contents(atPath: errorPath) ?? Data()
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Runs a program to its end.
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        upTo seconds: Double = Surroundings.patience
    ) throws -> (ending: Ending, output: String, errors: String) {
        let folder = try TemporaryFolder()
        let child = try ChildProcess(program, arguments, folder: folder, environment: environment)
        do {
            let ending = try child.waitForEnd(upTo: seconds)
            return (ending, child.output, child.errors)
        } catch {
            throw Trouble(
                "\(program) \(arguments.joined(separator: " ")): \(error)\n"
                    + child.output + child.errors)
        }
    }
}

/// A folder of its own for one test, gone with the last reference to it.
final class TemporaryFolder: Sendable {
    let root: String

    init() throws {
        var template = Array(
            (NSTemporaryDirectory() as NSString).appendingPathComponent("larder-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw Trouble("can't make a temporary folder") }
        root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(root, 0o755)
    }

    func path(_ name: String) -> String { root + "/" + name }

    deinit { try? FileManager.default.removeItem(atPath: root) }
}
