"""What an applicant may ask for."""
