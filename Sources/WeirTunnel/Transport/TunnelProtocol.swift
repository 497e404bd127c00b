/// Names that both ends must know.
enum TunnelProtocol {
    /// ALPN for yamux straight on TLS.
    static let direct = "weir-tunnel/1"
    /// ALPN for the upgrade to WebSocket.
    static let http = "http/1.1"
    /// WebSocket subprotocol.
    static let webSocket = "weir.tunnel.v1"
    /// RFC 6455 section 1.3.
    static let webSocketMagic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    /// The longest WebSocket frame that is taken; Weir's own have 128 KiB and a little more. 1 MiB.
    static let webSocketFrameMost = 1 << 20
}
