// Times the store and the protocol alone, without sockets: `swift run -c release larder-bench [name ...]`.
Bench().run(Array(CommandLine.arguments.dropFirst()))
