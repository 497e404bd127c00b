import NIOCore
import NIOPosix
import Testing
import WeirFlow
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirSources

@Suite("syslog source")
struct SyslogSourceTests {
    let world = World.tests

    func source(_ intake: any Intake, _ change: (inout SyslogSource.Settings) -> Void = { _ in }) -> SyslogSource {
        var settings = SyslogSource.Settings()
        settings.listen = ["127.0.0.1:0"]
        change(&settings)
        return SyslogSource(name: "edge", settings: settings, intake: intake, world: world, eventLoops: loops)
    }

    func socket() async throws -> any Channel {
        try await DatagramBootstrap(group: loops).bind(host: "127.0.0.1", port: 0).get()
    }

    func send(_ texts: [String], to port: Int, from socket: any Channel) async throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        for text in texts {
            try await socket.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(string: text)))
                .get()
        }
    }

    @Test("TCP and UDP share a port, and both arrive")
    func both() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = source(intake) { $0.transport = .both }
        #expect(!tested.canBeDelayed)
        try await running(tested) { source in
            let port = try source.port("tcp")
            #expect(try source.port("udp") == port)
            let sender = try await Sender.connect(port)
            try await sender.send("<13>one\n7 <14>two")
            let socket = try await socket()
            try await send(["<15>three\n", "<16>fo\nur", ""], to: port, from: socket)
            #expect(await eventually { intake.eventCount == 4 })
            try await socket.close().get()
            try await sender.close()
        }
        #expect(Set(intake.events) == ["<13>one", "<14>two", "<15>three", "<16>fo\nur"])
        #expect(intake.batches.allSatisfy { $0.kind == .syslog })
    }

    @Test("Datagrams that find no room are dropped and counted, and the source goes on")
    func dropped() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = source(intake) { $0.transport = .udp }
        try await running(tested) { source in
            let port = try source.port("udp")
            let socket = try await socket()
            intake.close()
            try await send(["<1>a", "<1>b"], to: port, from: socket)
            #expect(await eventually { tested.meter.reading.dropped["full"] == 2 })
            intake.open()
            try await send(["<1>c"], to: port, from: socket)
            #expect(await eventually { intake.events == ["<1>c"] })
            try await socket.close().get()
        }
        #expect(tested.meter.reading.events == 1)
    }

    @Test("A large datagram is whole")
    func large() async throws {
        let intake = RecordingIntake(time: world.time)
        let text = "<1>" + String(repeating: "é", count: 30_000)
        try await running(source(intake) { $0.transport = .udp }) { source in
            let socket = try await socket()
            try await send([text], to: source.port("udp"), from: socket)
            #expect(await eventually { intake.events == [text] })
            try await socket.close().get()
        }
    }
}
