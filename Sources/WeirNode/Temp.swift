import NIOCore
import WeirSettings
import WeirDelivery
import WeirDestinations
import WeirExpressions
import WeirFlow
import WeirWorld
package struct Checkpoints: Sendable { static func open(directory: String, world: World) async throws -> Checkpoints { Checkpoints() }; func close() async {}
 func load(_ key: String) async -> [UInt8]? { nil }
    func save(_ key: String, _ bytes: [UInt8]) async throws {} }
extension DeliveryChain { var deadLetterLevel: (events: Int64, bytes: Int64) { (0, 0) }
 struct DL { var at: WallTime; var reason: Reason; var attempts: Int; var content: ByteBuffer }
 func deadLetters(limit: Int) async throws -> [DL] { [] }
 func replayDeadLetters() async throws -> Int { 0 } }
import WeirGates
