// swift-tools-version: 6.2
import PackageDescription

// What crosses from room to room on the way of a request is inlined, which the default leaves to the smallest functions:
// meta 0.97, mixed 0.98, sets 0.98, multiget 0.98 of the CPU per request.
let inlinesAcrossRooms = SwiftSetting.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))

// Three rooms, a porch and a lookout; arrows point one way, nothing below calls up:
//   larder -> LarderServer -> LarderProtocol -> LarderStore -> CIntrinsics
//      |          \-> CLibevent, COpenSSL
//      \---> LarderTop
let package = Package(
    name: "larder",
    products: [
        .executable(name: "larder", targets: ["larder"]),
    ],
    targets: [
        // Inline C that Swift has no spelling for: prefetch, the tag compare of an index bucket, the pause of a spin loop.
        .target(name: "CIntrinsics"),
        // libevent's headers and what of it Swift can't import (macros, variadics).
        .target(
            name: "CLibevent",
            linkerSettings: [.linkedLibrary("event_core"), .linkedLibrary("event_extra")]
        ),
        // OpenSSL, loaded at run time by those who want TLS; only its headers are needed to build.
        .target(name: "COpenSSL"),
        // getopt_long, fork, signalfd and a few more calls that Swift's Glibc module lacks.
        .target(name: "CSystem"),
        // Memory, index, eviction, expiry. No sockets, no protocol text.
        .target(name: "LarderStore", dependencies: ["CIntrinsics"], swiftSettings: [inlinesAcrossRooms]),
        // Bytes in, bytes out. No sockets. Everything from the network is parsed here, and nothing here is unsafe.
        .target(
            name: "LarderProtocol",
            dependencies: ["LarderStore"],
            swiftSettings: [.strictMemorySafety(), inlinesAcrossRooms]
        ),
        // The only room with file descriptors, threads and libevent.
        .target(
            name: "LarderServer",
            dependencies: ["LarderProtocol", "LarderStore", "CLibevent", "COpenSSL", "CSystem"]
        ),
        // `larder top`: watches daemons from outside, over their protocol. Knows nothing of the rooms above.
        .target(name: "LarderTop", dependencies: ["CSystem"]),
        .executableTarget(name: "larder", dependencies: ["LarderServer", "LarderTop"]),
        // Times the protocol and the store without sockets.
        .executableTarget(name: "larder-bench", dependencies: ["LarderProtocol", "LarderStore"]),
        .testTarget(name: "LarderStoreTests", dependencies: ["LarderStore"]),
        .testTarget(name: "LarderProtocolTests", dependencies: ["LarderProtocol", "LarderStore"]),
        // Starts the built daemon and talks to it over sockets; Clients/ holds the scripts real clients run.
        .testTarget(
            name: "LarderServerTests", dependencies: ["LarderServer"],
            exclude: ["Clients", "Prometheus", "Faults/failing-memory.c"]),
        .testTarget(name: "LarderTopTests", dependencies: ["LarderTop"]),
        // The house rules, read off the sources themselves.
        .testTarget(name: "TidyTests"),
    ],
    swiftLanguageModes: [.v6]
)
