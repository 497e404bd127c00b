internal import WeirWorld

/// What a stream's end tells about itself. Called on the event loop; must be quick.
package protocol StreamMeter: AnyObject {
    func sent(_ bytes: Int)
    func received(_ bytes: Int)
    /// So many bytes may still come before the receiver has to take some.
    func room(_ bytes: Int)
    /// The kernel has taken so many.
    func drained(_ bytes: Int)
    /// How long some bytes took, in either direction (`Passage`).
    func passed(write: Duration, drain: Duration)
    /// From now on it waits for that, or no longer does. Told again and again; only a change counts.
    func waits(_ direction: ConnectorFigures.Direction, _ cause: ConnectorFigures.Cause, _ waits: Bool)
    func finishSent()
    func finishReceived()
    /// - Parameter reason: `nil` when both directions ended as they should.
    func ended(_ reason: StreamReason?, byPeer: Bool)
}
