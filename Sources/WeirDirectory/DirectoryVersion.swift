import CLdap

/// The libldap in use, as it says it itself.
package enum DirectoryVersion {
    package static let number = Int(LDAP_VENDOR_VERSION)
}
