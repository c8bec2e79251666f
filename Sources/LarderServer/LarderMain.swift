// The whole life of the daemon in one function: read the command line, set up the process, serve, say how it
// ended.
import Glibc

/// The daemon as a program.
public enum Larder {
    /// Runs as `arguments` (without the program's name) say; returns the exit status.
    public static func run(_ arguments: [String]) -> Int32 {
        do throws(StartFailure) {
            switch try OptionParser.parse(arguments) {
            case .print(let text):
                return write(text, to: STDOUT_FILENO) ? 0 : 74
            case .run(let settings):
                return try serve(settings)
            }
        } catch {
            _ = write("larder: \(error.message)\n", to: STDERR_FILENO)
            return error.exitCode
        }
    }

    private static func serve(_ settings: Settings) throws(StartFailure) -> Int32 {
        let log = Log(verbosity: settings.verbosity)
        let inherited = InheritedSocket.take()
        for fault in inherited.faults { log.warning(fault) }
        // As root, if it is root that starts: keys and passwords may be nobody else's to read.
        let tls = settings.tls.isEnabled
            ? try TLSService(settings.tls, hidesInput: settings.authFile != nil) : nil
        let doorkeeper = try settings.authFile.map { path throws(StartFailure) in
            try Doorkeeper(path: path, log: log)
        }
        let life = try ProcessSetup.apply(settings, log: log)
        for warning in settings.warnings { log.warning(warning) }
        for file in tls?.unreadable ?? [] {
            log.warning("\(file) can't be read again: certificates won't be refreshed")
        }
        if let doorkeeper, doorkeeper.isUnreadable {
            log.warning("\(doorkeeper.path) can't be read again: SIGHUP won't change the passwords")
        }
        if !settings.withoutEffect.isEmpty {
            log.info("without effect here: \(settings.withoutEffect.joined(separator: ", "))")
        }
        let signals = try SignalSource()
        let server = try Server(
            settings, log: log, life: life, tls: tls, doorkeeper: doorkeeper,
            inherited: inherited.sockets, signals: signals)
        ProcessSetup.renounceCapabilities(log)
        return server.run()
    }

    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                let count = Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                written += count
            }
            return true
        }
    }
}
