import Foundation
import Synchronization
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

/// Pythons with pycti, one version each, divided by colons; without them these tests are left out.
private let pythons =
    ProcessInfo.processInfo.environment["WEIR_PYCTI_PYTHONS"]?.split(separator: ":").map(String.init) ?? []

@Suite("A real connector, written with pycti", .enabled(if: !pythons.isEmpty), .serialized, .timeLimit(.minutes(5)))
struct PyctiTests {
    private static let script = """
        import sys
        from pycti import OpenCTIConnectorHelper
        url, token, protocol, padding = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
        helper = OpenCTIConnectorHelper({
            'opencti': {'url': url, 'token': token},
            'connector': {'id': 'mini--01', 'type': 'EXTERNAL_IMPORT', 'name': 'Mini', 'scope': 'identity',
                'log_level': 'error', 'duration_period': 'PT0S', 'queue_threshold': 8, 'queue_protocol': protocol}})
        def identity(number):
            return {'type': 'identity', 'spec_version': '2.1', 'name': 'n%d' % number, 'identity_class': 'organization',
                'id': 'identity--00000000-0000-4000-8000-%012d' % number, 'description': 'é' * padding,
                'created': '2026-01-01T00:00:00.000Z', 'modified': '2026-01-01T00:00:00.000Z'}
        def run():
            work = helper.api.work.initiate_work(helper.connect_id, 'run')
            bundle = helper.stix2_create_bundle([identity(1), identity(2)])
            sent = helper.send_stix2_bundle(bundle, work_id=work)
            helper.set_state({'n': 1, 'é': 'x'})
            helper.api.work.to_processed(work, 'done')
            print('sent', len(sent))
        marking = helper.api.marking_definition.read(filters={'mode': 'and', 'filterGroups': [],
            'filters': [{'key': 'definition', 'values': ['TLP:CLEAR']}]})
        print(marking['standard_id'])
        helper.schedule_iso(run, 'PT0S')
        """

    private static func run(_ python: String, _ arguments: [String]) async throws -> (code: Int32, output: String) {
        try await PythonPeer.run(python, script, arguments)
    }

    private static func withDoor(
        to platform: any ConnectorPlatform, _ world: World, _ body: (String) async throws -> Void
    ) async throws {
        try await PythonPeer.withIngress(to: platform, world) { ingress in
            let door = OpenCTIDoor(platform: platform, broker: ingress, world: world) { $0 == "secret" }
            let server = try await DoorServer.start(door)
            let result: Result<Void, any Error>
            do { result = .success(try await body("http://127.0.0.1:\(server.port)")) } catch {
                result = .failure(error)
            }
            try await server.stop()
            try result.get()
        }
    }

    private func withDoor(_ body: (RecordingPlatform, String) async throws -> Void) async throws {
        let world = PythonPeer.world
        let platform = RecordingPlatform(time: world.time)
        try await Self.withDoor(to: platform, world) { try await body(platform, $0) }
    }

    @Test("brings its objects to the routes and its work to its end", arguments: pythons, ["amqp", "api"])
    func whole(python: String, queue: String) async throws {
        let stage = CoreStage()
        let (intake, world) = (stage.intake, stage.world)
        try await stage.live { connectors in
            try await Self.withDoor(to: connectors, world) { url in
                let (code, output) = try await Self.run(python, [url, "secret", queue, "200000"])
                #expect(code == 0, "\(output)")
                #expect(await eventually { intake.eventCount == 2 })
                // By the API, 6.4 announces messages and then pushes one bundle that names no work: it stays open.
                guard queue == "amqp" else { return }
                #expect(
                    await eventually { await connectors.works(of: "mini--01", most: 1).first?.status == .complete })
            }
        }
        #expect(intake.events.allSatisfy { $0.contains("identity--00000000-0000-4000-8000-00000000000") })
    }

    @Test("imports through AMQP: a message an object", arguments: pythons)
    func amqp(python: String) async throws {
        try await withDoor { platform, url in
            let (code, output) = try await Self.run(python, [url, "secret", "amqp", "1"])
            #expect(code == 0 && output.contains("sent 2"), "\(output)")
            #expect(output.contains("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"))
            #expect(platform.pushed.map(\.head.encoding) == [.message, .message])
            #expect(platform.pushed.allSatisfy { $0.text.contains(#""work_id": "work_mini--01_0""#) })
            let work = try #require(await platform.work("work_mini--01_0"))
            #expect(work.processedAt != nil && work.expected == 2)
            #expect(await platform.connector("mini--01")?.state == #"{"n": 1, "\u00e9": "x"}"#)
            #expect(await platform.connector("mini--01")?.report?.isRunAndTerminate == true)
        }
    }

    @Test("imports through the API, small bundles and long ones", arguments: pythons, ["1", "200000"])
    func api(python: String, padding: String) async throws {
        try await withDoor { platform, url in
            let (code, output) = try await Self.run(python, [url, "secret", "api", padding])
            #expect(code == 0 && output.contains("sent"), "\(output)")
            let pushed = platform.pushed
            #expect(
                !pushed.isEmpty && pushed.allSatisfy { $0.head.encoding == .stix && $0.text.contains("identity--") })
            #expect(pushed.allSatisfy { $0.wasStreamed == (padding != "1") })
        }
    }

    @Test("is put off while its queue is full, or cannot be measured", arguments: pythons)
    func postponed(python: String) async throws {
        for level in [WorkQueueLevel(messages: 1, bytes: 8_000_000), nil] {
            try await withDoor { platform, url in
                platform.state.withLock { $0.level = level }
                let (code, output) = try await Self.run(python, [url, "secret", "amqp", "1"])
                #expect(code == 0 && !output.contains("sent"), "\(output)")
                #expect(platform.pushed.isEmpty)
                #expect(await platform.connector("mini--01")?.report?.isBuffering == true)
            }
        }
    }

    @Test("prints what is wrong with its token", arguments: pythons)
    func token(python: String) async throws {
        try await withDoor { _, url in
            let (code, output) = try await Self.run(python, [url, "wrong", "amqp", "1"])
            #expect(code != 0 && output.contains("AUTH_REQUIRED") && output.contains("OPENCTI_TOKEN"), "\(output)")
        }
    }
}
