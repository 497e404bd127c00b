import HummingbirdCore
import Logging
import NIOCore
import Synchronization
import WeirWorld

/// The connections that the one address of the API takes: pages and programs have places of their own, and connectors
/// written for OpenCTI have theirs, so that pushes which wait at a gate never lock people out.
///
/// Every connection begins as a page's, because nobody knows what it will ask; with its first request for the door it
/// becomes the door's, for good. While all places of pages are taken, nothing is accepted; while all places of the
/// door are taken, or only the reserve of descriptors is left, a request for it is refused.
final class ConnectionPlaces: AvailableConnectionsDelegate {
    private struct State {
        var pages = 0
        var door = 0
        /// Since a request was refused for want of room, until one is taken again.
        var isFull = false
        var server: (any Channel)?
    }

    let pagesMost: Int
    let doorMost: Int
    private let log: Logger
    private let state = Mutex(State())

    /// - Parameter doorMost: 0 where no connectors are let in.
    init(pagesMost: Int, doorMost: Int, log: Logger) {
        self.pagesMost = pagesMost
        self.doorMost = doorMost
        self.log = log
    }

    /// The listening channel: it is asked to accept again when a page's place has become free.
    func serves(_ channel: any Channel) { state.withLock { $0.server = channel } }

    // MARK: All connections

    func connectionOpened() { state.withLock { $0.pages += 1 } }
    func connectionClosed() { state.withLock { $0.pages -= 1 } }
    func isAcceptingNewConnections() -> Bool { state.withLock { $0.pages < pagesMost } }

    // MARK: The door's

    /// More than half of the door's places are taken: connections that are not in use must go.
    var isCrowded: Bool { state.withLock { $0.door * 2 > doorMost } }

    /// Makes a page's connection the door's.
    /// - Returns: false when there is no room.
    func enterDoor() -> Bool {
        let areScarce = Descriptors.areScarce
        let (hasRoom, isNews, waiting) = state.withLock { state -> (Bool, Bool, (any Channel)?) in
            let hasRoom = state.door < doorMost && !areScarce
            let isNews = state.isFull == hasRoom
            state.isFull = !hasRoom
            guard hasRoom else { return (false, isNews, nil) }
            let wasClosed = state.pages >= pagesMost
            state.door += 1
            state.pages -= 1
            return (true, isNews, wasClosed ? state.server : nil)
        }
        waiting?.read()
        if isNews, !hasRoom {
            log.warning(
                "connectors are refused: too many requests of theirs wait",
                metadata: ["opencti.max_connections": "\(doorMost)", "descriptors.scarce": "\(areScarce)"])
        } else if isNews {
            log.notice("connectors are taken again")
        }
        return hasRoom
    }

    /// Its connection closes; `connectionClosed` follows.
    func leaveDoor() {
        state.withLock { state in
            state.door -= 1
            state.pages += 1
        }
    }
}
