import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Testing
import WeirFlow
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirSources

@Suite("TLS of sources")
struct SourceTLSTests {
    let world = World.tests

    /// An authority, a server's and a client's certificate; `nil` where there is no `openssl`.
    private func certificates() throws -> Folder? {
        let folder = try Folder()
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        let script = """
            set -e
            openssl req -x509 \(key) -keyout ca.key -out ca.pem -days 2 -subj /CN=ca \
              -addext basicConstraints=critical,CA:TRUE
            for name in server client; do
              openssl req \(key) -keyout $name.key -out $name.csr -subj /CN=$name
              echo subjectAltName=IP:127.0.0.1 > $name.ext
              openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $name.pem \
                -extfile $name.ext
            done
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus == 0 { return folder }
        print("SKIPPED: no openssl command to make certificates with")
        return nil
    }

    private func connect(_ port: Int, _ folder: Folder, shows: Bool, most: TLSVersion? = nil) async throws -> Sender {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(folder.path + "/ca.pem")
        configuration.minimumTLSVersion = .tlsv1
        configuration.maximumTLSVersion = most
        if shows {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(folder.path + "/client.pem").map {
                .certificate($0)
            }
            configuration.privateKey = .privateKey(
                try NIOSSLPrivateKey(file: folder.path + "/client.key", format: .pem))
        }
        let context = try NIOSSLContext(configuration: configuration)
        let channel = try await ClientBootstrap(group: loops)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: nil))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return Sender(channel: channel)
    }

    @Test("Only clients with a certificate of the authority get in, and only with TLS 1.2 or later")
    func clientCertificates() async throws {
        guard let folder = try certificates() else { return }
        let intake = RecordingIntake(time: world.time)
        var settings = SyslogSource.Settings()
        settings.listen = ["127.0.0.1:0"]
        var tls = ServerTLS()
        tls.certificate = folder.path + "/server.pem"
        tls.key = folder.path + "/server.key"
        tls.clientCA = folder.path + "/ca.pem"
        settings.tls = tls
        let tested = SyslogSource(name: "edge", settings: settings, intake: intake, world: world, eventLoops: loops)
        let messages = (0..<2_000).map { "<13>message \($0) \(String(repeating: "x", count: 200))" }
        try await running(tested) { source in
            let port = try source.port("tcp")
            let welcome = try await connect(port, folder, shows: true)
            try await welcome.send(messages.map { "\($0.utf8.count) \($0)" }.joined())
            #expect(await eventually { intake.eventCount == messages.count })
            try await welcome.close()
            let nobody = try await connect(port, folder, shows: false)
            try? await nobody.send("<13>from nobody\n")
            let old = try await connect(port, folder, shows: true, most: .tlsv11)
            try? await old.send("<13>with old TLS\n")
            #expect(await eventually { tested.meter.reading.refused["tls_failed"] ?? 0 >= 2 })
            let plain = try await Sender.connect(port)
            try? await plain.send("<13>without TLS\n")
            #expect(await eventually { tested.meter.reading.refused["tls_failed"] ?? 0 >= 3 })
        }
        #expect(intake.events == messages)
    }

    @Test("HTTP over TLS: the same rules")
    func http() async throws {
        guard let folder = try certificates() else { return }
        let intake = RecordingIntake(time: world.time)
        var tls = ServerTLS()
        tls.certificate = folder.path + "/server.pem"
        tls.key = folder.path + "/server.key"
        tls.clientCA = folder.path + "/ca.pem"
        let tested = httpSource(intake) { [tls] in $0.tls = tls }
        try await running(tested) { source in
            let port = try source.port("http")
            let text = "POST / HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
            let welcome = try await connect(port, folder, shows: true)
            try await welcome.send(text + "good")
            #expect(await eventually { intake.eventCount == 1 })
            let nobody = try await connect(port, folder, shows: false)
            try? await nobody.send(text + "evil")
            let old = try await connect(port, folder, shows: true, most: .tlsv11)
            try? await old.send(text + "olde")
            let plain = try await Sender.connect(port)
            try? await plain.send(text + "bare")
            #expect(await eventually { (tested.meter.reading.refused["tls_failed"] ?? 0) >= 3 })
        }
        #expect(intake.events == ["good"])
    }

    @Test("TLS files that cannot be used are said at the start")
    func badFiles() async throws {
        var settings = TCPSource.Settings()
        settings.listen = ["127.0.0.1:0"]
        var tls = ServerTLS()
        tls.certificate = "/nowhere/cert.pem"
        tls.key = "/nowhere/key.pem"
        settings.tls = tls
        let tested = TCPSource(
            name: "edge", settings: settings, intake: RecordingIntake(time: world.time), world: world, eventLoops: loops
        )
        await #expect(throws: SourceFailure.self) { try await tested.open() }
    }
}
