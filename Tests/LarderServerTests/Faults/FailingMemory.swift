// A daemon whose memory can be made to fail: failing-memory.c, built and preloaded, and the page it shares
// with the test.
import Foundation

final class FailingMemory {
    /// As `struct control` in failing-memory.c.
    private enum Word: Int { case countdown, calls, failed, live, site }

    let folder: TemporaryFolder
    private let page: UnsafeMutableRawPointer
    private let library: String

    init() throws {
        folder = try TemporaryFolder()
        library = folder.path("failing-memory.so")
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("failing-memory.c").path
        let compiler = Surroundings.find("clang") ?? Surroundings.find("cc")
        try Surroundings.require(compiler != nil, "a C compiler")
        let built = try ChildProcess.run(
            compiler!, ["-shared", "-fPIC", "-O1", "-Wall", "-o", library, source], upTo: 60)
        guard built.ending == .exited(0) else { throw Trouble(built.errors) }
        let path = folder.path("control")
        _ = FileManager.default.createFile(atPath: path, contents: Data(count: 4096))
        let file = open(path, O_RDWR)
        defer { close(file) }
        page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    }

    deinit { munmap(page, 4096) }

    /// What makes a daemon use it.
    var environment: [String: String] {
        ["LD_PRELOAD": library, "LARDER_FAILING_MEMORY": folder.path("control")]
    }

    private func read(_ word: Word) -> Int { page.load(fromByteOffset: word.rawValue * 8, as: Int.self) }
    private func write(_ word: Word, _ value: Int) {
        page.storeBytes(of: value, toByteOffset: word.rawValue * 8, as: Int.self)
    }

    /// The `number`th call from now on fails; 0: none.
    func fail(_ number: Int) {
        write(.countdown, 0)
        write(.failed, 0)
        write(.calls, 0)
        write(.countdown, number)
    }

    var hasFailed: Bool { read(.failed) > 0 }
    /// Calls that could have failed since `fail`.
    var calls: Int { read(.calls) }
    var liveBlocks: Int { read(.live) }

    /// Where the failed call came from, to be looked up with a symbolizer.
    var site: String {
        let name = String(cString: (page + 40).assumingMemoryBound(to: CChar.self))
        return "\(name.isEmpty ? "larder" : name) at 0x\(String(read(.site), radix: 16))"
    }
}
