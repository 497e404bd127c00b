import NIOCore
import NIOPosix
import Testing
import WeirFlow
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirSources

#if canImport(Glibc)
    import Glibc
#endif

/// A source that listens, fed over one TCP connection.
private actor StreamStand: SourceContract.Stand {
    nonisolated let source: any Source
    private var sender: Sender?

    init(_ source: any Source) { self.source = source }

    func feed(_ events: [String]) async throws {
        let sender: Sender
        if let known = self.sender { sender = known } else { sender = try await Sender.connect(source.port("tcp")) }
        self.sender = sender
        for event in events { try await sender.send(event + "\n") }
    }

    func tearDown() async { try? await sender?.close() }
}

private struct DatagramStand: SourceContract.Stand {
    let source: any Source

    func feed(_ events: [String]) async throws {
        let port = try source.port("udp")
        let socket = try await DatagramBootstrap(group: loops).bind(host: "127.0.0.1", port: 0).get()
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        for event in events {
            try await socket.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(string: event)))
                .get()
        }
        try await socket.close().get()
    }

    func tearDown() async {}
}

private struct HTTPStand: SourceContract.Stand {
    let source: any Source

    /// As a good client does: repeated while it is told to come back.
    func feed(_ events: [String]) async throws {
        let port = try source.port("http")
        for _ in 0..<100 {
            let reply = try await request(port, text: events.joined(separator: "\n"))
            if reply.status == 200 { return }
            try await World.tests.time.sleep(for: .milliseconds(50))
        }
        throw TestTrouble("never accepted")
    }

    func tearDown() async {}
}

private struct FileStand: SourceContract.Stand {
    let source: any Source
    let folder: Folder

    func feed(_ events: [String]) async throws { folder.append(events.joined(separator: "\n") + "\n", to: "a.log") }
    func tearDown() async {}
}

private struct StdinStand: SourceContract.Stand {
    let source: any Source
    let ends: [Int32]

    func feed(_ events: [String]) async throws {
        let bytes = Array((events.joined(separator: "\n") + "\n").utf8)
        guard write(ends[1], bytes, bytes.count) == bytes.count else { throw TestTrouble("the pipe is full") }
    }

    func tearDown() async { for end in ends { close(end) } }
}

@Suite("contract of sources", .serialized)
struct SourceContractTests {
    private let world = World.tests

    @Test("tcp keeps the contract of sources", arguments: SourceContract.Clause.allCases)
    func tcp(_ clause: SourceContract.Clause) async throws {
        try await SourceContract(world: world) { [world] intake in
            var settings = TCPSource.Settings()
            settings.listen = ["127.0.0.1:0"]
            return StreamStand(
                TCPSource(name: "edge", settings: settings, intake: intake, world: world, eventLoops: loops))
        }.check(clause)
    }

    @Test("syslog over TCP keeps the contract of sources", arguments: SourceContract.Clause.allCases)
    func syslog(_ clause: SourceContract.Clause) async throws {
        try await SourceContract(world: world) { [world] intake in
            var settings = SyslogSource.Settings()
            settings.listen = ["127.0.0.1:0"]
            return StreamStand(
                SyslogSource(name: "edge", settings: settings, intake: intake, world: world, eventLoops: loops))
        }.check(clause)
    }

    @Test("syslog over UDP keeps the contract of sources", arguments: SourceContract.Clause.allCases)
    func datagrams(_ clause: SourceContract.Clause) async throws {
        try await SourceContract(world: world, isExact: false) { [world] intake in
            var settings = SyslogSource.Settings()
            settings.listen = ["127.0.0.1:0"]
            settings.transport = .udp
            return DatagramStand(
                source: SyslogSource(name: "edge", settings: settings, intake: intake, world: world, eventLoops: loops))
        }.check(clause)
    }

    @Test("http keeps the contract of sources", arguments: SourceContract.Clause.allCases)
    func http(_ clause: SourceContract.Clause) async throws {
        try await SourceContract(world: world) { [world] intake in
            var settings = HTTPSource.Settings()
            settings.listen = ["127.0.0.1:0"]
            return HTTPStand(
                source: HTTPSource(name: "ingest", settings: settings, intake: intake, world: world, eventLoops: loops))
        }.check(clause)
    }

    @Test("file keeps the contract of sources", arguments: SourceContract.Clause.allCases)
    func file(_ clause: SourceContract.Clause) async throws {
        try await SourceContract(world: world) { [world] intake in
            let folder = try Folder()
            var settings = FileSource.Settings()
            settings.paths = [folder.path + "/a.log"]
            settings.from = .beginning
            settings.poll = .milliseconds(5)
            let source = FileSource(
                name: "logs", settings: settings, intake: intake, world: world, checkpoints: MemoryCheckpoints())
            return FileStand(source: source, folder: folder)
        }.check(clause)
    }

    @Test("stdin keeps the contract of sources", arguments: SourceContract.Clause.allCases)
    func stdin(_ clause: SourceContract.Clause) async throws {
        try await SourceContract(world: world) { [world] intake in
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { throw TestTrouble("no pipe") }
            let source = StdinSource(name: "in", settings: .init(), intake: intake, world: world, descriptor: ends[0])
            return StdinStand(source: source, ends: ends)
        }.check(clause)
    }

    @Test("Every kind of source is made from its own settings, and from no other's")
    func catalogue() {
        let place = SourcePlace(
            name: "x", intake: RecordingIntake(), world: world, eventLoops: loops,
            checkpoints: MemoryCheckpoints())
        #expect(SourceCatalog.settings.map(\.name) == ["syslog", "http", "tcp", "file", "stdin"])
        for kind in SourceCatalog.kinds {
            #expect(kind.make(NoSettings(), place) == nil)
        }
        #expect(SourceCatalog.make("tcp", TCPSource.Settings(), place)?.meter.type == "tcp")
        #expect(SourceCatalog.make("nothing", TCPSource.Settings(), place) == nil)
    }
}
