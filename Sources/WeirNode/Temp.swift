import NIOCore
import WeirSettings
import WeirDelivery
import WeirDestinations
import WeirExpressions
import WeirFlow
import WeirWorld
extension DeliveryChain { var deadLetterLevel: (events: Int64, bytes: Int64) { (0, 0) }
 struct DL { var at: WallTime; var reason: Reason; var attempts: Int; var content: ByteBuffer }
 func deadLetters(limit: Int) async throws -> [DL] { [] }
 func replayDeadLetters() async throws -> Int { 0 } }
import WeirGates
