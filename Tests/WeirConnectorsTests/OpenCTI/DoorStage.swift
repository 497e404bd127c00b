import Logging
import NIOCore
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

/// A door over a recording platform.
struct DoorStage {
    let time = ManualTime()
    let platform: RecordingPlatform
    let door: OpenCTIDoor
    let world: World

    init(broker: (any BundleBroker)? = nil, settings: OpenCTIDoor.Settings = OpenCTIDoor.Settings()) {
        platform = RecordingPlatform(time: time)
        world = World(
            time: time, random: SeededRandom(seed: 1), files: SimulatedDisk(seed: 1), blocking: InlineBlocking(),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        door = OpenCTIDoor(platform: platform, broker: broker, world: world, settings: settings) { $0 == "secret" }
    }

    func register(_ id: String) async throws {
        _ = try await platform.register(ConnectorRegistration(id: id, name: "Mini"))
    }

    /// Sends a body in the given pieces.
    func send(
        _ pieces: [ByteBuffer], method: String = "POST", token: String? = "secret", type: String = "application/json"
    ) async -> (status: Int, body: String) {
        let stream = AsyncThrowingStream<ByteBuffer, any Error> { continuation in
            for piece in pieces { continuation.yield(piece) }
            continuation.finish()
        }
        let answer = await door.answer(
            method: method,
            header: { name in
                switch name {
                case "authorization": token.map { "Bearer \($0)" }
                case "content-type": type
                default: nil
                }
            }, body: stream)
        return (answer.status, String(buffer: answer.body))
    }

    func ask(_ query: String, _ variables: String = "{}") async -> String {
        var body = ByteBuffer()
        GraphValue.object(["query": .string(query)]).write(to: &body)
        let text = String(buffer: body).dropLast() + #","variables":"# + variables + "}"
        return await send([ByteBuffer(string: String(text))]).body
    }
}
