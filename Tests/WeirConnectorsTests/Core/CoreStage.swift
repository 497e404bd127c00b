import Foundation
import Logging
import NIOCore
import WeirConnectors
import WeirFlow
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

/// Connectors on a real disk, in a directory that goes when the test is over. What they deliver is recorded.
final class CoreStage {
    let directory: String
    let intake = RecordingIntake()
    let gates = GateRegistry()
    var settings: ConnectorsSettings
    let world: World

    init(_ change: (inout ConnectorsSettings) -> Void = { _ in }) {
        directory = NSTemporaryDirectory() + "weir-connectors-" + String(UInt64.random(in: 0 ... .max), radix: 16)
        world = .live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        settings = ConnectorsSettings()
        settings.settleEvery = .milliseconds(5)
        settings.minFree = 0
        change(&settings)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// One life of the connectors: opened, running, and closed again.
    func live<Value: Sendable>(_ body: @escaping @Sendable (Connectors) async throws -> Value) async throws -> Value {
        let ledger = try await Ledger.open(path: directory + "/ledger.db", world: world)
        let connectors = try await Connectors.open(
            directory: directory + "/connectors", ledger: ledger, intake: intake, gates: gates, settings: settings,
            world: world)
        let result: Result<Value, any Error> = await withTaskGroup(of: Void.self) { group in
            group.addTask { await connectors.run() }
            let result: Result<Value, any Error>
            do { result = .success(try await body(connectors)) } catch { result = .failure(error) }
            connectors.stop()
            await group.waitForAll()
            return result
        }
        await ledger.close()
        return try result.get()
    }

    /// One life with a connector in it.
    func live<Value: Sendable>(
        with id: ConnectorID, _ body: @escaping @Sendable (Connectors) async throws -> Value
    ) async throws -> Value {
        try await live { connectors in
            _ = try await connectors.register(ConnectorRegistration(id: id, name: "C"))
            return try await body(connectors)
        }
    }

    func deadLetters() async throws -> [DeadLetter] {
        let letters = try await DeadLetters.open(
            directory: directory + "/connectors/~dead-letters", name: "dead", minFree: 0, world: world)
        let entries = try await letters.list(limit: 1_000)
        await letters.close()
        return entries.map(\.letter)
    }

    func reading(_ id: ConnectorID) -> GateReading? { gates.reading("connector/" + id) }
}

enum Sample {
    static func bundle(_ objects: [String]) -> String {
        #"{"type":"bundle","id":"bundle--1","spec_version":"2.1","objects":["# + objects.joined(separator: ",") + "]}"
    }

    static func object(_ number: Int, padding: Int = 0) -> String {
        #"{"type":"indicator","id":"indicator--\#(number)","x":""# + String(repeating: "x", count: padding) + "\"}"
    }

    static func message(_ bundle: String, work: String? = nil) -> String {
        let content = Data(bundle.utf8).base64EncodedString()
        let end = work.map { #","work_id":"\#($0)""# } ?? ""
        return #"{"bundle_type":"QUEUE_BUNDLE","applicant_id":"u","content":"\#(content)","update":false\#(end)}"#
    }

    static func push(
        _ text: String, to connector: ConnectorID = "c", work: WorkID? = nil,
        as encoding: BundleHead.Encoding = .stix
    ) -> BundlePush {
        BundlePush(
            BundleHead(connector: connector, work: work, encoding: encoding), bytes: ByteBuffer(string: text))
    }
}
