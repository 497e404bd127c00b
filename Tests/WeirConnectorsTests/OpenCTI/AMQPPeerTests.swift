import Foundation
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

/// A Python with pika; without it these tests are left out.
private let python = ProcessInfo.processInfo.environment["WEIR_PIKA_PYTHON"]

@Suite("pika at the AMQP ingress", .enabled(if: python != nil), .serialized, .timeLimit(.minutes(5)))
struct AMQPPeerTests {
    /// Connects as pycti does, with confirms, and runs `body` with a `channel`; prints what came of it.
    private func script(_ body: String, heartbeat: Int) -> String {
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        return """
            import sys, time, pika
            port, user, secret = int(sys.argv[1]), sys.argv[2], sys.argv[3]
            def connect(password):
                return pika.BlockingConnection(pika.ConnectionParameters(
                    host='127.0.0.1', port=port, socket_timeout=120, stack_timeout=120,
                    heartbeat=\(heartbeat), virtual_host='/',
                    credentials=pika.PlainCredentials(user, password)))
            def publish(channel, body, key='push_routing_' + user, exchange='amqp.worker.exchange', **more):
                channel.basic_publish(exchange=exchange, routing_key=key, body=body, properties=pika.BasicProperties(
                    delivery_mode=2, content_encoding='utf-8'), **more)
            try:
                connection = connect(secret)
                channel = connection.channel()
                channel.confirm_delivery()
            \(lines.joined(separator: "\n"))
                connection.close()
            except Exception as error:
                print(type(error).__name__, error)
            """
    }

    /// - Parameter heartbeat: in seconds; short only where it is what is tested, for a busy machine misses it.
    private func run(
        _ body: String, _ connection: BrokerConnection, password: String? = nil, heartbeat: Int = 60
    ) async throws -> String {
        let arguments = [String(connection.port), connection.user, password ?? connection.password]
        return try await PythonPeer.run(try #require(python), script(body, heartbeat: heartbeat), arguments).output
    }

    private func withIngress(
        _ body: (RecordingPlatform, AMQPIngress, BrokerConnection) async throws -> Void
    ) async throws {
        let world = PythonPeer.world
        let platform = RecordingPlatform(time: world.time)
        _ = try await platform.register(ConnectorRegistration(id: "aaaa-01", name: "A"))
        try await PythonPeer.withIngress(to: platform, world) { ingress in
            try await body(platform, ingress, try await ingress.connection(for: "aaaa-01"))
        }
    }

    @Test("publishes, is confirmed, and closes")
    func publishes() async throws {
        try await withIngress { platform, ingress, connection in
            let output = try await run(
                """
                publish(channel, '{"content":"x"}')
                publish(channel, 'y' * 3000000)
                publish(channel, '')
                print('confirmed')
                """, connection)
            #expect(output == "confirmed\n")
            #expect(platform.pushed.map(\.text.utf8.count) == [15, 3_000_000, 0])
            #expect(ingress.counts.taken == 3)
        }
    }

    @Test("waits while the platform holds, longer than its heartbeat")
    func held() async throws {
        try await withIngress { platform, _, connection in
            platform.hold()
            async let output = run("publish(channel, '{}')\nprint('confirmed')", connection, heartbeat: 5)
            while platform.heldCount == 0 { try await Task.sleep(for: .milliseconds(50)) }
            try await Task.sleep(for: .seconds(13))
            platform.release()
            #expect(try await output == "confirmed\n")
        }
    }

    @Test(
        "is told what it did wrong",
        arguments: [
            ("publish(channel, '{}', key='nowhere')", "NackError"),
            ("publish(channel, '{}', key='nowhere', mandatory=True)", "NackError"),
            ("publish(channel, '{}', key='push_routing_other')", "ACCESS_REFUSED"),
            ("publish(channel, '{}', exchange='other')", "NOT_FOUND"),
            ("channel.basic_get('push_' + user)", "NOT_IMPLEMENTED"),
            ("channel.queue_declare('push_' + user, passive=True); print('there')", "there"),
            ("channel.basic_qos(prefetch_count=1); print('fine')", "fine"),
        ])
    func mistakes(body: String, wanted: String) async throws {
        try await withIngress { platform, _, connection in
            let output = try await run(body, connection)
            #expect(output.contains(wanted), "\(output)")
            #expect(platform.pushed.isEmpty)
        }
    }

    @Test("is refused with a wrong password")
    func login() async throws {
        try await withIngress { _, ingress, connection in
            let output = try await run("print('in')", connection, password: "wrong")
            #expect(output.contains("ACCESS_REFUSED"), "\(output)")
            try await ingress.revoke("aaaa-01")
            #expect(try await run("print('in')", connection).contains("ACCESS_REFUSED"))
        }
    }
}
